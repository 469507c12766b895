"""Whether the service lives, and whether it can answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from pydantic import BaseModel
from sanic import Blueprint
from sanic.response import HTTPResponse

from service.core.access import ADMIN, Actor, Anyone, Role
from service.core.errors import Refusal, Unavailable
from service.transport.http.answers import reply
from service.transport.http.errors import failure_of, present
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request
from service.transport.http.routes import READ, route

Readiness = Callable[[], Awaitable[Mapping[str, bool]]]
"""Asks each dependency, by name, whether it answers; bounded in time and never raising."""
State = Literal["ok", "down"]


class HealthView(BaseModel):
    """The process answers."""

    status: Literal["healthy"] = "healthy"


class ReadinessView(BaseModel):
    """Requests will be answered. Only admins see the dependencies."""

    status: Literal["ready"] = "ready"
    dependencies: dict[str, State] | None = None


def health_blueprint(readiness: Readiness, guard: Guard) -> Blueprint:
    """The routes of health, without a prefix."""
    blueprint = Blueprint("health")

    @route(blueprint, READ, "/health")
    @operation("health", "Whether the service is alive", view=HealthView)
    async def health(request: Request) -> HTTPResponse:
        return reply(HealthView())

    @route(blueprint, READ, "/health/live")
    @operation("live", "Whether the process should go on living", view=HealthView)
    async def live(request: Request) -> HTTPResponse:
        return reply(HealthView())

    @route(blueprint, READ, "/health/ready")
    @operation(
        "ready",
        "Whether the service can answer requests; an admin's token shows each dependency",
        policy=(Anyone(), Role(ADMIN)),
        view=ReadinessView,
        sparse=True,
    )
    async def ready(request: Request) -> HTTPResponse:
        found = await readiness()
        shown = _shown(found, await _maybe(guard, request))
        if all(found.values()):
            return reply(ReadinessView(dependencies=shown), sparse=True)
        return present(failure_of(Unavailable()), request, dependencies=shown)

    return blueprint


async def _maybe(guard: Guard, request: Request) -> Actor:
    """Whoever asks; a token that is no good makes a probe anonymous, not wrong."""
    try:
        return await guard.actor(request)
    except Refusal:
        return guard.visitor(request)


def _shown(found: Mapping[str, bool], actor: Actor) -> dict[str, State] | None:
    if not actor.has_role(ADMIN) or actor.scopes is not None:  # no scope of a key is about this
        return None
    return {name: "ok" if answers else "down" for name, answers in found.items()}
