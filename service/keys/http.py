"""The REST route of keys."""

from datetime import timedelta

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.keys.schemas import KeySetView
from service.keys.service import KeyService
from service.transport.http.answers import reply_if_new
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request
from service.transport.http.routes import READ, route

MAX_AGE = timedelta(minutes=5)
"""How long verifiers may keep the set. A key is published from one rotation to the next before it
signs, so rotations at least this far apart surprise none of them."""


def keys_blueprint(keys: KeyService, guard: Guard) -> Blueprint:
    """The public keys, where verifiers look for them, without a prefix."""
    blueprint = Blueprint("keys")

    @route(blueprint, READ, "/.well-known/jwks.json")
    @operation(
        "jwks",
        "The public keys that access tokens are signed with; none while HS256 signs",
        KeyService.published,
        view=KeySetView,
        sparse=True,
    )
    async def jwks(request: Request) -> HTTPResponse:
        found = await keys.published(guard.visitor(request))
        kept = {"Cache-Control": f"public, max-age={int(MAX_AGE.total_seconds())}"}
        return reply_if_new(request, found, kept, sparse=True)

    return blueprint
