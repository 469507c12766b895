"""The headers that every answer carries."""

import time
from email.utils import formatdate
from functools import lru_cache
from types import MappingProxyType

from sanic.response import BaseHTTPResponse

from service.transport.http.cors import Cors
from service.transport.http.requests import Request

STANDARD = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
"""No Strict-Transport-Security: it has no meaning over plain HTTP (RFC 6797 §7.2), and whoever ends
TLS in front of this service knows for which names and how long it may promise TLS."""


def date() -> str:
    """Now, as the header Date says it (RFC 9110 §6.6.1)."""
    return _of_second(int(time.time()))


@lru_cache(maxsize=1)
def _of_second(second: int) -> str:
    """Written once a second, not once an answer."""
    return formatdate(second, usegmt=True)


def stamp(request: Request, response: BaseHTTPResponse, cors: Cors) -> None:
    """Add what is missing; what a handler set for itself stays."""
    response.headers["Date"] = date()
    response.headers["X-Request-ID"] = request.id
    for name, value in STANDARD.items():
        response.headers.setdefault(name, value)
    cors.stamp(request, response)
