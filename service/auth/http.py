"""The REST routes of registration, log-in and tokens."""

from pydantic import Field
from sanic import Blueprint
from sanic.response import HTTPResponse

from service.auth.errors import (
    InvalidClient,
    InvalidCredentials,
    RegistrationClosed,
    SessionNotFound,
    UnsupportedGrantType,
)
from service.auth.schemas import (
    ClientToken,
    Introspect,
    Introspection,
    IssueToken,
    ListSessions,
    Login,
    Refresh,
    Register,
    SessionList,
    TokenPair,
)
from service.auth.service import AuthService
from service.auth.sessions import SessionService
from service.core.errors import InvalidToken, Limited
from service.core.parsing import Command, parse
from service.core.text import Flag
from service.transport.http.answers import no_content, reply, reply_if_new
from service.transport.http.bodies import json_body, json_or_form, keep_out_of_query, query
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request, idempotency_key
from service.transport.http.routes import API, READ, route
from service.users.errors import EmailTaken, UserNotFound
from service.users.schemas import UserView


class LogoutQuery(Command):
    """Which sessions end."""

    everywhere: Flag = Field(
        default=False, alias="all", description="End every session of yours, not only this one."
    )


def auth_blueprint(auth: AuthService, sessions: SessionService, guard: Guard) -> Blueprint:
    """Every route of registration, log-in and tokens."""
    blueprint = Blueprint("auth", API)
    _add_entrance(blueprint, auth, guard)
    _add_refresh(blueprint, auth, guard)
    _add_client_login(blueprint, auth, guard)
    _add_own_session(blueprint, auth, guard)
    _add_introspection(blueprint, auth, guard)
    _add_sessions(blueprint, sessions, guard)
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


def _add_client_login(blueprint: Blueprint, auth: AuthService, guard: Guard) -> None:
    @route(blueprint, ["POST"], "/auth/token")
    @operation(
        "issueToken",
        "Log a service account in by client credentials (RFC 6749 §4.4)",
        AuthService.issue_token,
        body=IssueToken,
        form=True,
        basic=True,
        view=ClientToken,
        refusals=(Limited, UnsupportedGrantType, InvalidClient),
    )
    async def issue_token(request: Request) -> HTTPResponse:
        keep_out_of_query(request, IssueToken.model_fields)
        body, client = json_or_form(request), guard.client(request)
        return reply(await auth.issue_token(guard.visitor(request), body, basic=client))


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
        "Ask what an access token or an API key is worth (RFC 7662)",
        AuthService.introspect,
        body=Introspect,
        form=True,
        view=Introspection,
        sparse=True,
    )
    async def introspect(request: Request) -> HTTPResponse:
        found = await auth.introspect(await guard.actor(request), json_or_form(request))
        return reply(found, sparse=True)


def _add_sessions(blueprint: Blueprint, sessions: SessionService, guard: Guard) -> None:
    @route(blueprint, READ, "/users/<user_id>/sessions")
    @operation(
        "listSessions",
        "See where a user is signed in",
        SessionService.list,
        query=ListSessions,
        view=SessionList,
        refusals=(UserNotFound,),
    )
    async def list_sessions(request: Request, user_id: str) -> HTTPResponse:
        actor = await guard.actor(request)
        return reply(await sessions.list(actor, user_id, query(request)))

    @route(blueprint, ["DELETE"], "/users/<user_id>/sessions", strict=True)
    @operation(
        "revokeOtherSessions",
        "End every session of a user but the one that asks",
        SessionService.end_others,
        status=204,
        refusals=(UserNotFound,),
    )
    async def revoke_other_sessions(request: Request, user_id: str) -> HTTPResponse:
        await sessions.end_others(await guard.actor(request), user_id)
        return no_content()

    @route(blueprint, ["DELETE"], "/users/<user_id>/sessions/<session_id>")
    @operation(
        "revokeSession",
        "End a session",
        SessionService.end,
        status=204,
        refusals=(UserNotFound, SessionNotFound),
    )
    async def revoke_session(request: Request, user_id: str, session_id: str) -> HTTPResponse:
        await sessions.end(await guard.actor(request), user_id, session_id)
        return no_content()
