"""How routes are added, and what they are called in logs."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sanic import Blueprint
from sanic.constants import HTTPMethod

from service.transport.http.requests import Request

_TYPE = re.compile(r":[^>]*")
UNROUTED = "-"
API = "/api/v1"
METHODS = tuple(sorted(map(str, HTTPMethod)))
"""Those of RFC 9110 and RFC 5789, but for CONNECT and TRACE."""
READ = ("GET", "HEAD")
CHANGE = ("PATCH", "PUT")
"""PUT changes the given fields, as PATCH does: the seed's clients rely on it."""

Handler = TypeVar("Handler", bound=Callable[..., Any])


def route(
    blueprint: Blueprint, methods: Sequence[str], path: str, *, strict: bool = False
) -> Callable[[Handler], Handler]:
    """Add a handler under its own name; its path parameters arrive percent-decoded.

    A ``strict`` one is not found with a slash behind it, which others overlook: where the path of
    one row without its id would be that of all.
    """

    def add(handler: Handler) -> Handler:
        name = handler.__name__
        blueprint.add_route(handler, path, methods, name=name, strict_slashes=strict, unquote=True)
        return handler

    return add


def template(request: Request) -> str:
    """The route's template, such as ``/api/v1/users/<user_id>``; never the path that was asked."""
    return UNROUTED if request.route is None else plain(request.route.path)


@lru_cache(maxsize=256)
def plain(path: str) -> str:
    """A route's path without the types of its parameters."""
    return "/" + _TYPE.sub("", path)
