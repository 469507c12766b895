"""The REST routes of users and their profiles."""

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.core.errors import Limited
from service.core.paging import Page
from service.transport.http.answers import no_content, reply, reply_if_new, reply_page
from service.transport.http.bodies import json_body, query
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request, idempotency_key, if_match
from service.transport.http.routes import API, CHANGE, READ, route
from service.users.errors import EmailTaken, LastAdmin, UserNotFound, WrongPassword
from service.users.schemas import (
    ChangePassword,
    CreateUser,
    ListUsers,
    ProfileView,
    SetStatus,
    UpdateOwnUser,
    UpdateProfile,
    UpdateUser,
    UserView,
)
from service.users.service import UserService

CHANGE_REFUSALS = (UserNotFound, EmailTaken, WrongPassword, Limited)


def users_blueprint(users: UserService, guard: Guard) -> Blueprint:
    """Every route of users."""
    blueprint = Blueprint("users", API)
    _add_collection(blueprint, users, guard)
    _add_me(blueprint, users, guard)
    _add_one(blueprint, users, guard)
    _add_administration(blueprint, users, guard)
    _add_password(blueprint, users, guard)
    _add_profile(blueprint, users, guard)
    return blueprint


def _add_collection(blueprint: Blueprint, users: UserService, guard: Guard) -> None:
    @route(blueprint, READ, "/users")
    @operation(
        "listUsers",
        "List users, or search them by part of a name or e-mail",
        UserService.list,
        query=ListUsers,
        view=Page[UserView],
    )
    async def list_users(request: Request) -> HTTPResponse:
        return reply_page(await users.list(await guard.actor(request), query(request)))

    @route(blueprint, ["POST"], "/users")
    @operation(
        "createUser",
        "Make an account",
        UserService.create,
        status=201,
        body=CreateUser,
        view=UserView,
        refusals=(EmailTaken,),
    )
    async def create_user(request: Request) -> HTTPResponse:
        actor = await guard.actor(request)
        user = await users.create(
            actor, json_body(request), idempotency_key=idempotency_key(request)
        )
        return reply(user, 201, {"Location": f"{API}/users/{user.id}"})


def _add_me(blueprint: Blueprint, users: UserService, guard: Guard) -> None:
    @route(blueprint, READ, "/users/me")
    @operation(
        "getOwnUser",
        "Read your own account",
        UserService.get,
        view=UserView,
        refusals=(UserNotFound,),
    )
    async def get_me(request: Request) -> HTTPResponse:
        actor = await guard.actor(request)
        return reply_if_new(request, await users.get(actor, str(actor.user_id)))

    @route(blueprint, CHANGE, "/users/me")
    @operation(
        "updateOwnUser",
        "Change your own account; a new e-mail takes current_password",
        UserService.update,
        body=UpdateOwnUser,
        view=UserView,
        refusals=CHANGE_REFUSALS,
    )
    async def update_me(request: Request) -> HTTPResponse:
        actor = await guard.actor(request)
        change, expected = json_body(request), if_match(request)
        return reply(await users.update(actor, str(actor.user_id), change, if_match=expected))


def _add_one(blueprint: Blueprint, users: UserService, guard: Guard) -> None:
    @route(blueprint, READ, "/users/<user_id>")
    @operation(
        "getUser", "Read an account", UserService.get, view=UserView, refusals=(UserNotFound,)
    )
    async def get_user(request: Request, user_id: str) -> HTTPResponse:
        return reply_if_new(request, await users.get(await guard.actor(request), user_id))

    @route(blueprint, CHANGE, "/users/<user_id>")
    @operation(
        "updateUser",
        "Change an account; a new e-mail of one's own takes current_password",
        UserService.update,
        body=UpdateUser,
        view=UserView,
        refusals=CHANGE_REFUSALS,
    )
    async def update_user(request: Request, user_id: str) -> HTTPResponse:
        actor = await guard.actor(request)
        change, expected = json_body(request), if_match(request)
        return reply(await users.update(actor, user_id, change, if_match=expected))


def _add_administration(blueprint: Blueprint, users: UserService, guard: Guard) -> None:
    @route(blueprint, ["PUT"], "/users/<user_id>/status")
    @operation(
        "setUserStatus",
        "Make an account active, inactive or suspended",
        UserService.set_status,
        body=SetStatus,
        view=UserView,
        refusals=(UserNotFound, LastAdmin),
    )
    async def set_status(request: Request, user_id: str) -> HTTPResponse:
        actor = await guard.actor(request)
        status, expected = json_body(request), if_match(request)
        return reply(await users.set_status(actor, user_id, status, if_match=expected))

    @route(blueprint, ["DELETE"], "/users/<user_id>")
    @operation(
        "deleteUser",
        "Delete an account with its profile, roles and sessions",
        UserService.delete,
        status=204,
        refusals=(UserNotFound, LastAdmin),
    )
    async def delete_user(request: Request, user_id: str) -> HTTPResponse:
        await users.delete(await guard.actor(request), user_id, if_match=if_match(request))
        return no_content()


def _add_password(blueprint: Blueprint, users: UserService, guard: Guard) -> None:
    @route(blueprint, ["PUT"], "/users/<user_id>/password")
    @operation(
        "changePassword",
        "Change your own password; every other session of yours ends",
        UserService.change_password,
        status=204,
        body=ChangePassword,
        refusals=(UserNotFound, WrongPassword, Limited),
    )
    async def change_password(request: Request, user_id: str) -> HTTPResponse:
        await users.change_password(await guard.actor(request), user_id, json_body(request))
        return no_content()


def _add_profile(blueprint: Blueprint, users: UserService, guard: Guard) -> None:
    @route(blueprint, READ, "/users/<user_id>/profile")
    @operation(
        "getProfile",
        "Read a profile",
        UserService.profile,
        view=ProfileView,
        refusals=(UserNotFound,),
    )
    async def get_profile(request: Request, user_id: str) -> HTTPResponse:
        return reply_if_new(request, await users.profile(await guard.actor(request), user_id))

    @route(blueprint, ["PATCH"], "/users/<user_id>/profile")
    @operation(
        "updateProfile",
        "Change a profile; null clears a field",
        UserService.update_profile,
        body=UpdateProfile,
        view=ProfileView,
        refusals=(UserNotFound,),
    )
    async def update_profile(request: Request, user_id: str) -> HTTPResponse:
        actor = await guard.actor(request)
        change, expected = json_body(request), if_match(request)
        return reply(await users.update_profile(actor, user_id, change, if_match=expected))
