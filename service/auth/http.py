"""The REST routes of registration, log-in and tokens."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from sanic import Blueprint
from sanic.response import HTTPResponse

from service.auth.errors import InvalidCredentials, RegistrationClosed
from service.auth.schemas import Introspect, Introspection, Login, Refresh, Register, TokenPair
from service.auth.service import AuthService
from service.core.errors import InvalidToken, Limited
from service.core.parsing import Command, parse
from service.transport.http.answers import no_content, reply, reply_if_new
from service.transport.http.bodies import json_body, json_or_form, query
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request, idempotency_key
from service.transport.http.routes import API, READ, route
from service.users.errors import EmailTaken, UserNotFound
from service.users.schemas import UserView

Flag = Annotated[bool, BeforeValidator(lambda text: {"true": True, "false": False}.get(text, text))]


class LogoutQuery(Command):
    """Which sessions end."""

    everywhere: Flag = Field(
        default=False, alias="all", description="End every session of yours, not only this one."
    )


def auth_blueprint(auth: AuthService, guard: Guard) -> Blueprint:
    """Every route of registration, log-in and tokens."""
    blueprint = Blueprint("auth", API)
    _add_entrance(blueprint, auth, guard)
    _add_refresh(blueprint, auth, guard)
    _add_own_session(blueprint, auth, guard)
    _add_introspection(blueprint, auth, guard)
    return blueprint


def _add_entrance(blueprint: Blueprint, auth: AuthService, guard: Guard) -> None:
    @route(blueprint, ["POST"], "/auth/register")
    @operation(
        "register",
        "Make an account for yourself",
        AuthService.register,
        status=201,
        body=Register,
        view=UserView,
        refusals=(RegistrationClosed, Limited, EmailTaken),
    )
    async def register(request: Request) -> HTTPResponse:
        visitor = guard.visitor(request)
        user = await auth.register(
            visitor, json_body(request), idempotency_key=idempotency_key(request)
        )
        return reply(user, 201, {"Location": f"{API}/users/{user.id}"})

    @route(blueprint, ["POST"], "/auth/login")
    @operation(
        "login",
        "Begin a session with e-mail and password",
        AuthService.login,
        body=Login,
        view=TokenPair,
        refusals=(Limited, InvalidCredentials),
    )
    async def login(request: Request) -> HTTPResponse:
        return reply(await auth.login(guard.visitor(request), json_body(request)))


def _add_refresh(blueprint: Blueprint, auth: AuthService, guard: Guard) -> None:
    @route(blueprint, ["POST"], "/auth/refresh")
    @operation(
        "refresh",
        "Trade a refresh token for a new pair; each works once",
        AuthService.refresh,
        body=Refresh,
        view=TokenPair,
        refusals=(InvalidToken,),
    )
    async def refresh(request: Request) -> HTTPResponse:
        return reply(await auth.refresh(guard.visitor(request), json_body(request)))


def _add_own_session(blueprint: Blueprint, auth: AuthService, guard: Guard) -> None:
    @route(blueprint, ["POST"], "/auth/logout")
    @operation(
        "logout",
        "End this session, or all of yours",
        AuthService.logout,
        status=204,
        query=LogoutQuery,
    )
    async def logout(request: Request) -> HTTPResponse:
        actor = await guard.actor(request)
        wanted = parse(LogoutQuery, query(request))
        await auth.logout(actor, everywhere=wanted.everywhere)
        return no_content()

    @route(blueprint, READ, "/auth/me")
    @operation(
        "whoAmI",
        "Read the account that the token speaks for",
        AuthService.who_am_i,
        view=UserView,
        refusals=(UserNotFound,),
    )
    async def who_am_i(request: Request) -> HTTPResponse:
        return reply_if_new(request, await auth.who_am_i(await guard.actor(request)))


def _add_introspection(blueprint: Blueprint, auth: AuthService, guard: Guard) -> None:
    @route(blueprint, ["POST"], "/auth/introspect")
    @operation(
        "introspect",
        "Ask what an access token is worth (RFC 7662)",
        AuthService.introspect,
        body=Introspect,
        form=True,
        view=Introspection,
        sparse=True,
    )
    async def introspect(request: Request) -> HTTPResponse:
        found = await auth.introspect(await guard.actor(request), json_or_form(request))
        return reply(found, sparse=True)
