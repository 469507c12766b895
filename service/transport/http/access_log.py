"""What is told of each request at this door."""

import time
from functools import lru_cache

from sanic.response import BaseHTTPResponse

from service.core.tracing import Facts
from service.transport.access import GONE, OK, UNKNOWN, Ended, tell
from service.transport.http.operations import operation_of
from service.transport.http.requests import Request
from service.transport.http.routes import METHODS, template

LEFT = 499
"""No status of HTTP: the caller left before it was sent one. nginx logs the same number."""


def log_access(request: Request, response: BaseHTTPResponse) -> None:
    """Tell of a request that is being answered."""
    _tell(request, response.status, request.refused or OK)


def log_left(request: Request) -> None:
    """Tell of a request whose caller did not wait for the answer."""
    if request.conn_info is not None and request.conn_info.lost:
        _tell(request, LEFT, GONE)


def _tell(request: Request, status: int, code: str) -> None:
    if request.is_told:
        return
    request.is_told = True
    actor = request.actor
    ended = Ended(
        door="http",
        operation=UNKNOWN if request.route is None else _operation(request.route.handler),
        method=request.method if request.method in METHODS else "OTHER",
        where=template(request),
        status=status,
        code=code,
        seconds=time.perf_counter() - request.began,
        request_id=request.id,
        peer=actor.address if actor else request.ip,
        actor=actor,
    )
    tell(ended, _facts, ours=status >= 500)


@lru_cache(maxsize=256)
def _operation(handler: object) -> str:
    """What the OpenAPI document calls it; the pages of the documentation are not in there."""
    found = operation_of(handler)
    return found.id if found else str(getattr(handler, "__name__", UNKNOWN))


def _facts(ended: Ended) -> Facts:
    """As OpenTelemetry's semantic conventions for HTTP servers name them."""
    return {
        "http.request.method": ended.method,
        "http.route": ended.where,
        "http.response.status_code": ended.status,
        "arcana.request_id": ended.request_id,
    }
