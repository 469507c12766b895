"""One line for each request."""

import logging
import time

from sanic.constants import HTTP_METHODS
from sanic.response import BaseHTTPResponse

from service.transport.http.requests import Request
from service.transport.http.routes import template

_log = logging.getLogger("arcana.access")
_METHODS = frozenset(HTTP_METHODS)


def log_access(request: Request, response: BaseHTTPResponse) -> None:
    """Log what was done and how long it took, and nothing that the caller typed."""
    milliseconds = (time.perf_counter() - request.began) * 1000
    method = request.method if request.method in _METHODS else "OTHER"
    _log.info(
        "%s %s",
        method,
        template(request),
        extra={
            "door": "http",
            "method": method,
            "route": template(request),
            "status": response.status,
            "duration_ms": round(milliseconds, 3),
            "request_id": request.id,
        },
    )
