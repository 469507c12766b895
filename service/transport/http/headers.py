"""The headers that every answer carries."""

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


def stamp(request: Request, response: BaseHTTPResponse, cors: Cors) -> None:
    """Add what is missing; what a handler set for itself stays."""
    response.headers["X-Request-ID"] = request.id
    for name, value in STANDARD.items():
        response.headers.setdefault(name, value)
    cors.stamp(request, response)
