"""The Sanic application that all blueprints are hung on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.config import Config
from sanic.http.constants import HTTP
from sanic.request import Request as SanicRequest
from sanic.response import BaseHTTPResponse

from service.transport.http.access_log import log_access
from service.transport.http.cors import Cors
from service.transport.http.errors import Errors
from service.transport.http.headers import stamp
from service.transport.http.requests import App, Request

MIB = 2**20


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How much, and for how many seconds, the door takes."""

    body_bytes: int = MIB
    request_seconds: int = 15
    response_seconds: int = 35
    keep_alive_seconds: int = 30


def make_app(
    name: str, *, cors_origins: Iterable[str] = (), limits: HttpLimits | None = None
) -> App:
    """An application without routes, which logs, stamps and refuses as all of them must.

    Its settings come from here alone: Sanic's reading of ``SANIC_*`` is off.
    """
    cors = Cors(cors_origins)
    app: App = Sanic(
        name,
        config=_config(limits or HttpLimits()),
        error_handler=Errors(cors),
        request_class=cast(type[SanicRequest], Request),
        configure_logging=False,
    )

    async def finish(request: Request, response: BaseHTTPResponse) -> None:
        stamp(request, response, cors)
        log_access(request, response)

    app.register_middleware(finish, "response")
    # Sanic adds an Alt-Svc of no content unless it is told that HTTP/1 is all there is.
    app.state.server_info.append(ApplicationServerInfo(settings={"version": HTTP.VERSION_1}))
    return app


def _config(limits: HttpLimits) -> Config:
    config = Config(env_prefix=None)
    config.update(
        ACCESS_LOG=False,
        AUTO_EXTEND=False,
        MOTD=False,
        REQUEST_MAX_SIZE=limits.body_bytes,
        REQUEST_TIMEOUT=limits.request_seconds,
        RESPONSE_TIMEOUT=limits.response_seconds,
        KEEP_ALIVE_TIMEOUT=limits.keep_alive_seconds,
    )
    return config
