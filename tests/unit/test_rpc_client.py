"""The client of arcana_protos, against the real door and services that are pretended."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from arcana_protos import auth, errors, user
from arcana_protos.client import ArcanaClient
from betterproto.lib.google.protobuf import Empty

from service.auth.errors import InvalidClient
from service.core.errors import Forbidden, Invalid, InvalidToken, Limited, Refusal
from service.transport.rpc.call import actor, call
from service.transport.rpc.messages import Handlers
from service.transport.rpc.server import RpcServer
from service.users.errors import EmailTaken, UserNotFound
from tests.support.probe import Ready

REFUSALS: dict[str, Refusal | type[Refusal]] = {
    "none": UserNotFound,
    "odd": Invalid({"id": ["Odd.", "Short."]}),
    "not yours": Forbidden,
    "taken": EmailTaken,
    "often": Limited(timedelta(seconds=3)),
}


@dataclass
class Tokens:
    """Which access token is good now, and what was sent."""

    good: int = 1
    refreshes: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    issued: int = 0

    async def authenticate(self, visitor: object, token: str) -> object:
        self.sent.append(token)
        if token not in (f"access-{self.good}", "arc_key"):
            raise InvalidToken
        return visitor


class Auth(Handlers, auth.AuthServiceBase):
    """Signs anybody in."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    async def login(self, message: auth.LoginRequest) -> auth.TokenResponse:
        assert "authorization" not in call().metadata
        return self._pair()

    async def refresh(self, message: auth.RefreshRequest) -> auth.TokenResponse:
        assert "authorization" not in call().metadata
        self.tokens.refreshes.append(message.refresh_token)
        await asyncio.sleep(0.02)
        if message.refresh_token != f"refresh-{self.tokens.good - 1}":
            raise InvalidToken
        return self._pair()

    async def issue_token(self, message: auth.IssueTokenRequest) -> auth.AccessTokenResponse:
        assert "authorization" not in call().metadata
        if (message.client_id, message.client_secret) != ("id", "secret"):
            raise InvalidClient
        self.tokens.issued += 1
        return auth.AccessTokenResponse(f"access-{self.tokens.good}", "Bearer", 3600)

    def _pair(self) -> auth.TokenResponse:
        number = self.tokens.good
        return auth.TokenResponse(f"access-{number}", f"refresh-{number}", "Bearer", 3600)

    async def logout(self, message: auth.LogoutRequest) -> Empty:
        await actor()
        return Empty()

    async def who_am_i(self, message: Empty) -> user.UserResponse:
        await actor()
        return user.UserResponse(name=str(call().metadata.get("x-note", "")))


class Users(Handlers, user.UserServiceBase):
    """Refuses by the id it is asked for."""

    async def get_user(self, message: user.GetUserRequest) -> user.UserResponse:
        if message.id == "slow":
            await asyncio.sleep(5)
        raise REFUSALS[message.id]

    async def stream_users(
        self, message: user.ListUsersRequest
    ) -> AsyncIterator[user.UserResponse]:
        await actor()
        for number in range(3):
            yield user.UserResponse(id=str(number))
        if message.query == "breaks":
            raise InvalidToken


@asynccontextmanager
async def connected(
    tokens: Tokens, timeout: float = 30.0, api_key: str | None = None
) -> AsyncIterator[ArcanaClient]:
    server = RpcServer(
        [Auth(tokens), Users()],
        authenticate=tokens.authenticate,  # type: ignore[arg-type]  # any caller will do
        readiness=Ready(),
    )
    await server.start("127.0.0.1", 0)
    async with ArcanaClient("127.0.0.1", server.port, timeout=timeout, api_key=api_key) as client:
        yield client
    await server.stop(timedelta(0))


async def test_the_token_goes_with_every_call_even_with_metadata_of_its_own() -> None:
    tokens = Tokens()
    async with connected(tokens) as client:
        await client.log_in("ada@example.com", "secret")
        said = await client.auth.who_am_i(Empty(), metadata={"x-note": "mine"})
    assert (said.name, tokens.sent) == ("mine", ["access-1"])


async def test_an_expired_token_is_renewed_once_for_all_calls_that_found_out() -> None:
    tokens = Tokens()
    async with connected(tokens) as client:
        await client.log_in("ada@example.com", "secret")
        tokens.good = 2
        await asyncio.gather(*(client.auth.who_am_i(Empty()) for _ in range(20)))
    assert tokens.refreshes == ["refresh-1"]
    assert client.tokens is not None
    assert client.tokens.refresh_token == "refresh-2"


async def test_an_api_key_goes_with_every_call_and_is_never_traded() -> None:
    tokens = Tokens()
    async with connected(tokens, api_key="arc_key") as client:
        await client.auth.who_am_i(Empty())
    async with connected(tokens, api_key="arc_revoked") as client:
        with pytest.raises(errors.Unauthenticated):
            await client.auth.who_am_i(Empty())
    assert (tokens.sent, tokens.refreshes) == (["arc_key", "arc_revoked"], [])


async def test_a_service_account_logs_in_again_once_for_all_calls_that_found_out() -> None:
    tokens = Tokens()
    async with connected(tokens) as client:
        pair = await client.log_in_as_client("id", "secret")
        assert (pair.access_token, pair.refresh_token) == ("access-1", "")
        tokens.good = 2
        await asyncio.gather(*(client.auth.who_am_i(Empty()) for _ in range(20)))
        await client.log_out()
        await client.auth.who_am_i(Empty())
    assert (tokens.issued, tokens.refreshes, client.tokens) == (2, [], None)


async def test_a_wrong_secret_is_told_and_nothing_is_kept() -> None:
    async with connected(Tokens()) as client:
        with pytest.raises(errors.Unauthenticated) as refused:
            await client.log_in_as_client("id", "wrong")
    assert (refused.value.code, client.tokens) == ("invalid_client", None)


async def test_a_session_that_has_ended_is_told_as_an_invalid_token() -> None:
    tokens = Tokens()
    async with connected(tokens) as client:
        await client.log_in("ada@example.com", "secret")
        tokens.good = 9
        with pytest.raises(errors.Unauthenticated) as refused:
            await client.auth.who_am_i(Empty())
    assert (refused.value.code, tokens.refreshes) == ("invalid_token", ["refresh-1"])


async def test_a_stream_is_begun_again_with_a_renewed_token() -> None:
    tokens = Tokens()
    async with connected(tokens) as client:
        await client.log_in("ada@example.com", "secret")
        tokens.good = 2
        found = [u.id async for u in client.users.stream_users(user.ListUsersRequest())]
    assert found == ["0", "1", "2"]


async def read(answers: AsyncIterator[user.UserResponse], ids: list[str]) -> None:
    async for answer in answers:
        ids.append(answer.id)


async def test_a_stream_that_breaks_is_not_begun_again() -> None:
    tokens, found = Tokens(), list[str]()
    async with connected(tokens) as client:
        await client.log_in("ada@example.com", "secret")
        with pytest.raises(errors.Unauthenticated):
            await read(client.users.stream_users(user.ListUsersRequest(query="breaks")), found)
    assert (found, tokens.refreshes) == (["0", "1", "2"], [])


async def test_after_log_out_no_token_is_sent() -> None:
    tokens = Tokens()
    async with connected(tokens) as client:
        await client.log_in("ada@example.com", "secret")
        await client.log_out()
        await client.auth.who_am_i(Empty())
    assert (client.tokens, tokens.sent) == (None, ["access-1"])


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        ("none", errors.NotFound, "user_not_found"),
        ("odd", errors.Invalid, "invalid_request"),
        ("not yours", errors.Forbidden, "forbidden"),
        ("taken", errors.Conflict, "email_taken"),
        ("often", errors.Limited, "rate_limited"),
    ],
)
async def test_a_refusal_is_an_error_of_its_kind_with_its_code(
    asked: str, kind: type[errors.ArcanaError], code: str
) -> None:
    async with connected(Tokens()) as client:
        with pytest.raises(kind) as refused:
            await client.users.get_user(user.GetUserRequest(id=asked))
    assert refused.value.code == code
    assert refused.value.request_id


async def test_an_error_tells_faulty_fields_and_how_long_to_wait() -> None:
    async with connected(Tokens()) as client:
        with pytest.raises(errors.Invalid) as refused:
            await client.users.get_user(user.GetUserRequest(id="odd"))
        assert refused.value.errors == {"id": ["Odd.", "Short."]}
        with pytest.raises(errors.Limited) as limited:
            await client.users.get_user(user.GetUserRequest(id="often"))
        assert limited.value.retry_after == 3


async def test_no_answer_within_the_timeout_is_a_deadline_exceeded() -> None:
    async with connected(Tokens(), timeout=0.1) as client:
        with pytest.raises(errors.ArcanaError) as refused:
            await client.users.get_user(user.GetUserRequest(id="slow"))
    assert refused.value.code == "deadline_exceeded"


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with ArcanaClient("127.0.0.1", port) as client:
        with pytest.raises(errors.Unavailable) as refused:
            await client.auth.who_am_i(Empty())
    assert refused.value.code == "unavailable"
