"""The Sanic application that all blueprints are hung on."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.config import Config
from sanic.http.constants import HTTP
from sanic.request import Request as SanicRequest
from sanic.response import BaseHTTPResponse

from service.core import tracing
from service.transport.http.access_log import log_access, log_left
from service.transport.http.connections import GuardedProtocol
from service.transport.http.cors import Cors
from service.transport.http.errors import Errors
from service.transport.http.headers import stamp
from service.transport.http.limits import HttpLimits
from service.transport.http.requests import App, Request
from service.transport.purses import Purse

_W3C = ("traceparent", "tracestate")


class Application(Sanic[Config, SimpleNamespace]):
    """Sanic that listens behind the guard unless told otherwise: nobody can forget it.

    It counts the requests under way in ``ctx.in_flight``, and misses none that ends unanswered.
    """

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        return await super().create_server(*arguments, **{"protocol": GuardedProtocol, **options})

    async def handle_request(self, request: SanicRequest) -> None:
        ours = cast(Request, request)
        self.ctx.in_flight += 1
        try:
            with tracing.door(_context(ours) if tracing.is_traced() else {}):
                try:
                    await super().handle_request(request)
                finally:
                    log_left(ours)
        finally:
            self.ctx.in_flight -= 1


def make_app(
    name: str, *, cors_origins: Iterable[str] = (), limits: HttpLimits | None = None
) -> App:
    """An application without routes, which logs, stamps and refuses as all of them must.

    Its settings come from here alone: Sanic's reading of ``SANIC_*`` is off.
    """
    cors, limits = Cors(cors_origins), limits or HttpLimits()
    app: App = Application(
        name,
        config=_config(limits),
        error_handler=Errors(cors),
        request_class=cast(type[SanicRequest], Request),
        configure_logging=False,
    )

    async def finish(request: Request, response: BaseHTTPResponse) -> None:
        stamp(request, response, cors)
        log_access(request, response)

    app.ctx.http_limits, app.ctx.http_bodies = limits, Purse(limits.all_body_bytes)
    app.ctx.in_flight = 0
    app.register_middleware(finish, "response")
    # Sanic adds an Alt-Svc of no content unless it is told that HTTP/1 is all there is.
    app.state.server_info.append(ApplicationServerInfo(settings={"version": HTTP.VERSION_1}))
    return app


def _context(request: Request) -> dict[str, str]:
    """The caller's trace; a header sent twice is malformed, and so ignored."""
    sent = {name: request.headers.getall(name, []) for name in _W3C}
    return {name: values[0] for name, values in sent.items() if len(values) == 1}


def _config(limits: HttpLimits) -> Config:
    config = Config(env_prefix=None)
    config.update(
        ACCESS_LOG=False,
        AUTO_EXTEND=False,
        MOTD=False,
        REQUEST_MAX_SIZE=limits.body_bytes,
    )
    return config
