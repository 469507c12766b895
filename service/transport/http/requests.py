"""Requests with a checked id, and the types of this door's Sanic."""

import time
from types import SimpleNamespace
from typing import Any

from sanic import Sanic
from sanic.config import Config
from sanic.exceptions import BadURL
from sanic.request import Request as SanicRequest

from service.core.access import Actor
from service.transport.request_ids import request_id

App = Sanic[Config, SimpleNamespace]


class Request(SanicRequest[App, SimpleNamespace]):
    """A request that knows when it began; its id is sane whatever the caller sent.

    For the log: ``actor`` is who makes it as far as anybody asked, ``refused`` the code of the
    refusal it is answered with, and ``is_told`` that its line is written.
    """

    def __init__(self, url_bytes: bytes, *args: Any, **kwargs: Any) -> None:
        self.began = time.perf_counter()
        self.actor: Actor | None = None
        self.refused: str | None = None
        self.is_told = False
        self._checked_id: str | None = None
        try:
            super().__init__(url_bytes, *args, **kwargs)
        except BadURL:
            if kwargs.get("method") != "NONE":
                raise
            # Sanic parses the bad target once more to refuse it; without this it hangs up instead.
            super().__init__(b"*", *args, **kwargs)

    @property
    def path(self) -> str:
        """The path of the target; ``/`` where an absolute one has none (RFC 9110 §4.2.3)."""
        return "/" if self._parsed_url.path is None else super().path

    @property
    def id(self) -> str:
        if self._checked_id is None:
            self._checked_id = request_id(self.headers.getall("x-request-id", []))
        return self._checked_id


def joined(request: Request, name: str) -> str | None:
    """A header's values as one text (RFC 9110 §5.3), or None when it was not sent."""
    values = request.headers.getall(name, [])
    return ", ".join(values) if values else None


def if_match(request: Request) -> str | None:
    """What the caller demands of the row, for a service to read."""
    return joined(request, "if-match")


def idempotency_key(request: Request) -> str | None:
    """The caller's name for this creation, for a service to read."""
    return joined(request, "idempotency-key")
