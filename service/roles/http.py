"""The REST routes of roles and of who holds them."""

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.roles.errors import RoleBuiltIn, RoleNotFound, RoleTaken
from service.roles.schemas import CreateRole, RoleList, RoleView
from service.roles.service import RoleService
from service.transport.http.answers import no_content, reply
from service.transport.http.bodies import json_body
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request, idempotency_key
from service.transport.http.routes import API, READ, route
from service.users.errors import LastAdmin, UserNotFound


def roles_blueprint(roles: RoleService, guard: Guard) -> Blueprint:
    """Every route of roles."""
    blueprint = Blueprint("roles", API)
    _add_roles(blueprint, roles, guard)
    _add_holding(blueprint, roles, guard)
    return blueprint


def _add_roles(blueprint: Blueprint, roles: RoleService, guard: Guard) -> None:
    @route(blueprint, READ, "/roles")
    @operation("listRoles", "List every role", RoleService.list, view=RoleList)
    async def list_roles(request: Request) -> HTTPResponse:
        return reply(await roles.list(await guard.actor(request)))

    @route(blueprint, ["POST"], "/roles")
    @operation(
        "createRole",
        "Make a role",
        RoleService.create,
        status=201,
        body=CreateRole,
        view=RoleView,
        refusals=(RoleTaken,),
    )
    async def create_role(request: Request) -> HTTPResponse:
        actor = await guard.actor(request)
        role = await roles.create(
            actor, json_body(request), idempotency_key=idempotency_key(request)
        )
        return reply(role, 201, {"Location": f"{API}/roles/{role.name}"})

    @route(blueprint, ["DELETE"], "/roles/<name>")
    @operation(
        "deleteRole",
        "Delete a role; whoever held it holds it no longer",
        RoleService.delete,
        status=204,
        refusals=(RoleNotFound, RoleBuiltIn),
    )
    async def delete_role(request: Request, name: str) -> HTTPResponse:
        await roles.delete(await guard.actor(request), name)
        return no_content()


def _add_holding(blueprint: Blueprint, roles: RoleService, guard: Guard) -> None:
    @route(blueprint, ["PUT"], "/users/<user_id>/roles/<name>")
    @operation(
        "grantRole",
        "Give a user a role",
        RoleService.grant,
        status=204,
        refusals=(UserNotFound, RoleNotFound),
    )
    async def grant_role(request: Request, user_id: str, name: str) -> HTTPResponse:
        await roles.grant(await guard.actor(request), user_id, name)
        return no_content()

    @route(blueprint, ["DELETE"], "/users/<user_id>/roles/<name>")
    @operation(
        "revokeRole",
        "Take a role from a user",
        RoleService.revoke,
        status=204,
        refusals=(UserNotFound, RoleNotFound, LastAdmin),
    )
    async def revoke_role(request: Request, user_id: str, name: str) -> HTTPResponse:
        await roles.revoke(await guard.actor(request), user_id, name)
        return no_content()
