"""Which web pages of other origins may call (the Fetch standard's CORS protocol)."""

from collections.abc import Iterable

from sanic.response import BaseHTTPResponse, HTTPResponse

from service.transport.http.requests import Request

ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
)
EXPOSED_HEADERS = "ETag, Location, Retry-After, X-Request-ID"
MAX_AGE = 600
"""Seconds a browser may remember a preflight."""


class Cors:
    """Lets in exactly the given origins, none by default; ``*`` lets in every page.

    Never with credentials: tokens travel in a header that a page sets itself, so no browser adds
    anything of its own to a call.
    """

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: Request, methods: Iterable[str]) -> HTTPResponse | None:
        """The answer to a browser that asks before it calls; None if it may not."""
        asks = "access-control-request-method" in request.headers and request.method == "OPTIONS"
        if not asks or self._admitted(request) is None:
            return None
        headers = {
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(MAX_AGE),
        }
        return HTTPResponse(status=204, headers=headers)

    def stamp(self, request: Request, response: BaseHTTPResponse) -> None:
        """Say on an answer who may read it."""
        if not self._origins:
            return
        vary = response.headers.get("Vary")
        response.headers["Vary"] = f"{vary}, Origin" if vary else "Origin"
        admitted = self._admitted(request)
        if admitted is not None:
            response.headers["Access-Control-Allow-Origin"] = admitted
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS

    def _admitted(self, request: Request) -> str | None:
        origins = request.headers.getall("origin", [])
        if len(origins) != 1:
            return None
        if "*" in self._origins:
            return "*"
        return origins[0] if origins[0] in self._origins else None
