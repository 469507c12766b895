"""A small async client of Arcana: log in once, then call."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from betterproto import Message, ServiceStub
from grpclib.client import Channel
from grpclib.encoding.proto import ProtoCodec
from grpclib.events import RecvInitialMetadata, SendRequest, listen

from arcana_protos import (
    api_key,
    auth,
    client_secret,
    notification,
    order,
    role,
    user,
    webhook,
)
from arcana_protos.errors import ArcanaError, StatusDetails, Unauthenticated, typed_errors
from arcana_protos.watching import once, watched

T = TypeVar("T", bound=Message)
Renew = Callable[[str | None], Awaitable[bool]]

_PUBLIC = frozenset(
    f"/arcana.auth.AuthService/{name}" for name in ("Register", "Login", "Refresh", "IssueToken")
)


@dataclass
class Seen:
    """The version of the last user, profile or order that an answer showed; None while none did."""

    etag: str | None = None


_seen: ContextVar[Seen | None] = ContextVar("arcana_client_seen", default=None)


@contextmanager
def seeing() -> Iterator[Seen]:
    """Note the versions that answers show inside the block, for a change to demand one.

    with seeing() as seen:
        user = await arcana.users.get_user(GetUserRequest(id=...))
    await arcana.users.update_user(change, metadata={"if-match": seen.etag})
    """
    seen = Seen()
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


class ArcanaClient:
    """One connection to Arcana, with a stub for each service.

    The access token goes with every call that needs one. When it has expired, the refresh token
    is traded for a new pair, once for however many calls found out, and each call is made again;
    ``tokens`` is the pair of the moment. ``timeout`` is in seconds and holds for calls with one
    answer.

        async with ArcanaClient("localhost", 50051) as arcana:
            await arcana.log_in("ada@example.com", password)
            user = await arcana.users.get_user(GetUserRequest(id=...))

    A program of somebody's own gives an ``api_key`` instead of logging in; a service account uses
    ``log_in_as_client``.

    Any call takes ``metadata``: ``if-match`` with a version that ``seeing`` noted, or
    ``idempotency-key`` with a name for this creation, to be sent again with each repetition.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | bool = False,
        tokens: auth.TokenResponse | None = None,
        api_key: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.tokens, self._api_key = tokens, api_key
        self._client: auth.IssueTokenRequest | None = None
        self._renewing = asyncio.Lock()
        self._channel = Channel(
            host,
            port,
            ssl=tls or None,
            codec=ProtoCodec(),
            status_details_codec=StatusDetails(),
        )
        listen(self._channel, SendRequest, self._add_token)
        listen(self._channel, RecvInitialMetadata, _note_version)
        self.auth = _Auth(self._channel, self._token, self._renew, timeout)
        self.users = _Users(self._channel, self._token, self._renew, timeout)
        self.roles = _Roles(self._channel, self._token, self._renew, timeout)
        self.api_keys = _ApiKeys(self._channel, self._token, self._renew, timeout)
        self.client_secrets = _ClientSecrets(self._channel, self._token, self._renew, timeout)
        self.orders = _Orders(self._channel, self._token, self._renew, timeout)
        self.notifications = _Notifications(self._channel, self._token, self._renew, timeout)
        self.webhooks = _Webhooks(self._channel, self._token, self._renew, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.close()

    async def log_in(self, email: str, password: str) -> auth.TokenResponse:
        """Begin a session and keep its tokens.

        Raises:
            Unauthenticated, Limited, Unavailable.
        """
        request = auth.LoginRequest(email=email, password=password)
        self.tokens, self._client = await self.auth.login(request), None
        return self.tokens

    async def log_in_as_client(self, client_id: str, client_secret: str) -> auth.TokenResponse:
        """Log a service account in, and again whenever its access token has expired.

        Raises:
            Unauthenticated, Limited, Unavailable.
        """
        client = auth.IssueTokenRequest(client_id=client_id, client_secret=client_secret)
        self.tokens, self._client = await self._issued(client), client
        return self.tokens

    async def log_out(self, *, everywhere: bool = False) -> None:
        """End the session, or all of the user's, and forget the tokens.

        Raises:
            Unauthenticated: it had ended already.
        """
        await self.auth.logout(auth.LogoutRequest(all=everywhere))
        self.tokens = self._client = None

    def watch_users(
        self,
        *,
        snapshot: bool = False,
        resume_token: str = "",
        types: Iterable[str] = (),
        heartbeat_seconds: int = 0,
        resumes: bool = True,
    ) -> AsyncGenerator[user.UserEvent, None]:
        """What becomes of users and sessions, as ``WatchUsers`` tells it.

        When the stream is cut, is too old or was read too slowly, another is opened behind the
        last message that was given out, after a pause that grows to 5 seconds: none is missed.
        With ``snapshot`` this also holds when the service no longer knows what happened since:
        then another snapshot begins. Not so with ``resumes=False``. Whoever keeps the
        ``resume_token`` of what it has dealt with goes on from there after a restart.

            async with aclosing(arcana.watch_users(snapshot=True)) as events:
                async for event in events: ...

        Raises:
            Invalid, Unauthenticated, Forbidden, Conflict (``resume_expired``); and whatever ends
            the stream with ``resumes=False``.
        """
        request = user.WatchUsersRequest(
            resume_token=resume_token,
            snapshot=snapshot,
            types=list(types),
            heartbeat_seconds=heartbeat_seconds,
        )
        watch = watched if resumes else once
        return watch(self.users.watch_users, request)

    async def _add_token(self, event: SendRequest) -> None:
        """Here rather than in the stubs, whose metadata a call's own would replace."""
        token = self._token()
        if token and event.method_name not in _PUBLIC and "authorization" not in event.metadata:
            event.metadata["authorization"] = f"Bearer {token}"

    def _token(self) -> str | None:
        return self.tokens.access_token if self.tokens else self._api_key

    async def _renew(self, refused: str | None) -> bool:
        """Whether there is another token than the ``refused`` one by now."""
        async with self._renewing:
            if self.tokens is None or self.tokens.access_token != refused:
                return self.tokens is not None
            if self._client is None and not self.tokens.refresh_token:
                return False
            try:
                self.tokens = await self._successor(self.tokens)
            except Unauthenticated:
                return False
            return True

    async def _successor(self, tokens: auth.TokenResponse) -> auth.TokenResponse:
        if self._client is not None:
            return await self._issued(self._client)
        return await self.auth.refresh(auth.RefreshRequest(refresh_token=tokens.refresh_token))

    async def _issued(self, client: auth.IssueTokenRequest) -> auth.TokenResponse:
        """A service account's token, as a pair without a refresh token."""
        issued = await self.auth.issue_token(client)
        return auth.TokenResponse(
            access_token=issued.access_token,
            token_type=issued.token_type,
            expires_in=issued.expires_in,
        )


async def _note_version(event: RecvInitialMetadata) -> None:
    seen, etag = _seen.get(), event.metadata.get("etag")
    if seen is not None and isinstance(etag, str):
        seen.etag = etag


class _Calls(ServiceStub):
    """Stubs that raise typed errors, and call again once when the access token has expired."""

    def __init__(
        self, channel: Channel, token: Callable[[], str | None], renew: Renew, timeout: float
    ) -> None:
        super().__init__(channel)
        self._token, self._renew, self._timeout = token, renew, timeout

    async def _unary_unary(
        self, route: str, request: Any, response_type: type[T], **options: Any
    ) -> T:
        if options.get("timeout") is None and options.get("deadline") is None:
            options["timeout"] = self._timeout
        used = self._token()
        try:
            return await self._one(route, request, response_type, options)
        except Unauthenticated as error:
            if not await self._is_renewed(error, route, used):
                raise
        return await self._one(route, request, response_type, options)

    async def _one(self, route: str, request: Any, kind: type[T], options: dict[str, Any]) -> T:
        with typed_errors():
            return await super()._unary_unary(route, request, kind, **options)

    async def _unary_stream(
        self, route: str, request: Any, response_type: type[T], **options: Any
    ) -> AsyncIterator[T]:
        used, begun = self._token(), False
        try:
            async for message in self._many(route, request, response_type, options):
                begun = True
                yield message
            return
        except Unauthenticated as error:
            if begun or not await self._is_renewed(error, route, used):
                raise
        async for message in self._many(route, request, response_type, options):
            yield message

    async def _many(
        self, route: str, request: Any, kind: type[T], options: dict[str, Any]
    ) -> AsyncIterator[T]:
        with typed_errors():
            async for message in super()._unary_stream(route, request, kind, **options):
                yield message

    async def _is_renewed(self, error: ArcanaError, route: str, used: str | None) -> bool:
        if error.code != "invalid_token" or route in _PUBLIC:
            return False
        return await self._renew(used)


class _Auth(_Calls, auth.AuthServiceStub):
    """``arcana.auth.AuthService``."""


class _Users(_Calls, user.UserServiceStub):
    """``arcana.user.UserService``."""


class _Roles(_Calls, role.RoleServiceStub):
    """``arcana.role.RoleService``."""


class _ApiKeys(_Calls, api_key.ApiKeyServiceStub):
    """``arcana.api_key.ApiKeyService``."""


class _ClientSecrets(_Calls, client_secret.ClientSecretServiceStub):
    """``arcana.client_secret.ClientSecretService``."""


class _Orders(_Calls, order.OrderServiceStub):
    """``arcana.order.OrderService``."""


class _Notifications(_Calls, notification.NotificationServiceStub):
    """``arcana.notification.NotificationService``."""


class _Webhooks(_Calls, webhook.WebhookServiceStub):
    """``arcana.webhook.WebhookService``."""
