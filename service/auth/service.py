"""The rules about registration, log-in, sessions and tokens."""

import logging
from dataclasses import replace
from functools import partial
from typing import Literal

from service.api_keys.service import FORM, ApiKeyService
from service.auth.access_tokens import AccessClaims, AccessTokens
from service.auth.client_logins import ClientLogins
from service.auth.errors import InvalidCredentials, RegistrationClosed
from service.auth.models import Session
from service.auth.refresh_tokens import RefreshClaim, RefreshTokens
from service.auth.repository import Account, AccountRepository, Backed, SessionRepository, Turn
from service.auth.schemas import (
    BasicPair,
    ClientToken,
    Introspect,
    Introspection,
    Login,
    Refresh,
    Register,
    TokenPair,
)
from service.auth.verified import VerifiedTokens
from service.core.access import ADMIN, SERVICE, SYSTEM, Actor, Anyone, Role, SignedIn, allow
from service.core.errors import InvalidToken
from service.core.metrics import LOGINS, REFRESHES, REUSES, counted
from service.core.networks import network_of
from service.core.parsing import Raw, parse
from service.core.ports import Limiter, PasswordHasher, Transactions
from service.core.rates import (
    LOGINS_BY_ACCOUNT,
    LOGINS_BY_ADDRESS,
    REGISTRATIONS_BY_ACCOUNT,
    REGISTRATIONS_BY_ADDRESS,
)
from service.core.scopes import TOKENS_INTROSPECT, USERS_READ
from service.core.text import normal_email
from service.users.schemas import UserView
from service.users.service import UserService

log = logging.getLogger("arcana.auth")


class AuthService:
    """Who signs in, and for how long. ``actor`` is who asks; every method states who may."""

    def __init__(
        self,
        users: UserService,
        accounts: AccountRepository,
        sessions: SessionRepository,
        transactions: Transactions,
        hasher: PasswordHasher,
        limiter: Limiter,
        access_tokens: AccessTokens,
        verified: VerifiedTokens,
        refresh_tokens: RefreshTokens,
        client_logins: ClientLogins,
        api_keys: ApiKeyService,
        *,
        registration: Literal["open", "closed"] = "open",
    ) -> None:
        self._users, self._accounts, self._sessions = users, accounts, sessions
        self._begin, self._hasher, self._limiter = transactions, hasher, limiter
        self._access, self._claims_of = access_tokens, verified.read
        self._refresh_tokens, self._client_logins = refresh_tokens, client_logins
        self._api_keys = api_keys
        self._registration = registration

    @allow(Anyone())
    async def register(
        self, actor: Actor, raw: Raw, idempotency_key: str | None = None
    ) -> UserView:
        """Make an account for whoever asks.

        Raises:
            RegistrationClosed, Limited, Invalid, EmailTaken, IdempotencyMismatch, Unavailable.
        """
        if self._registration == "closed":
            raise RegistrationClosed
        await REGISTRATIONS_BY_ADDRESS.hit(self._limiter, network_of(actor.address))
        command = parse(Register, raw)
        await REGISTRATIONS_BY_ACCOUNT.hit(self._limiter, command.email)
        return await self._users.create(SYSTEM, raw, idempotency_key)

    @allow(Anyone())
    @counted(LOGINS)
    async def login(self, actor: Actor, raw: Raw) -> TokenPair:
        """Begin a session for whoever knows the password of an active account.

        An unknown account costs the same work as a known one, so neither the answer nor its
        delay tells which addresses are registered.

        Raises:
            Limited, Invalid, InvalidCredentials, Unavailable.
        """
        await LOGINS_BY_ADDRESS.hit(self._limiter, network_of(actor.address))
        command = parse(Login, raw)
        email = _normal_or_none(command.email)
        subject = email or command.email
        await LOGINS_BY_ACCOUNT.hit(self._limiter, subject)
        account = await self._verified(email, command.password)
        pair = await self._begin_session(actor, account)
        if pair is None:  # the hash changed meanwhile, to one of this password maybe
            account = await self._verified(email, command.password)
            pair = await self._begin_session(actor, account)
        if pair is None:
            raise InvalidCredentials
        await self._limiter.forget(LOGINS_BY_ACCOUNT.kind, subject)
        return pair

    async def _verified(self, email: str | None, password: str) -> Account:
        """Raises: InvalidCredentials, Unavailable."""
        account = await self._accounts.find_by_email(email) if email else None
        encoded = account.password_hash if account else None
        good = await self._hasher.verify(encoded, password)
        if not (good and account and encoded and account.may_sign_in):
            raise InvalidCredentials
        if self._hasher.is_outdated(encoded):
            new = await self._hasher.hash(password)
            if await self._accounts.rehash(account.user_id, old=encoded, new=new):
                return replace(account, password_hash=new)
        return account

    async def _begin_session(self, actor: Actor, verified: Account) -> TokenPair | None:
        """A pair, or None when the account's hash is no longer the one that was verified.

        Whoever knew the old password must not begin a session after it was changed.

        Raises:
            InvalidCredentials: the account was barred since it was verified.
        """
        async with self._begin():
            account = await self._accounts.hold(verified.user_id)
            if account is None or not account.may_sign_in:
                raise InvalidCredentials
            if account.password_hash != verified.password_hash:
                return None
            session = await self._sessions.begin(account.user_id, actor)
        return await self._pair(account, session)

    @allow(Anyone())
    @counted(REFRESHES)
    async def refresh(self, actor: Actor, raw: Raw) -> TokenPair:
        """Trade a refresh token for a new pair; each works once (RFC 9700 §4.14.2).

        The token just traded may be presented again for ``REPLAY_WINDOW``, by a client whose
        answer was lost, and gives the same successor. Any older one ends the session.

        Raises:
            Invalid, InvalidToken.
        """
        claim = self._refresh_tokens.read(parse(Refresh, raw).refresh_token)
        turned = await self._sessions.joined(claim, partial(self._turned, actor, claim))
        return await self._pair(turned.account, turned.session)

    async def _turned(self, actor: Actor, claim: RefreshClaim) -> Backed:
        """The session, its counter moved on from that of the claim.

        Raises:
            InvalidToken: the claim is not good, or not any more.
        """
        found = await self._sessions.find(claim.session_id)
        if found is None or not self._refresh_tokens.fits(claim, bytes(found.session.salt)):
            raise InvalidToken
        if not found.account.may_sign_in:
            raise InvalidToken
        match await self._sessions.advance(found.session, claim.counter, actor):
            case Turn.ADVANCED | Turn.REPLAYED:
                return found
            case Turn.REUSED:
                owner = found.account.user_id
                async with self._begin():  # of its own, so that it outlives the refusal
                    await self._sessions.end(claim.session_id, "refresh_reuse", of=owner)
                log.warning("refresh token reused: session ended")
                REUSES.add()
        raise InvalidToken

    async def _pair(self, account: Account, session: Session) -> TokenPair:
        seconds = self._access.seconds_until(session.expires_at)
        access = await self._access.issue(
            account.user_id, session.id, account.roles, account.epoch, seconds
        )
        refresh = self._refresh_tokens.mint(session.id, session.counter, bytes(session.salt))
        return TokenPair(access_token=access, refresh_token=refresh, expires_in=seconds)

    @allow(Anyone())
    async def issue_token(
        self, actor: Actor, raw: Raw, basic: BasicPair | None = None
    ) -> ClientToken:
        """Begin a session for a service account that shows its secret (RFC 6749 §4.4).

        It lasts as long as the one access token; there is no refresh token (§4.4.3).

        Raises:
            Limited, Invalid, UnsupportedGrantType, InvalidClient.
        """
        account, session = await self._client_logins.begin(actor, raw, basic, self._access.lifetime)
        seconds = self._access.seconds_until(session.expires_at)
        access = await self._access.issue(
            account.user_id, session.id, account.roles, account.epoch, seconds
        )
        return ClientToken(access_token=access, expires_in=seconds)

    @allow(SignedIn(), scope=None)
    async def logout(self, actor: Actor, everywhere: bool = False) -> None:
        """End the session the caller's token belongs to, or all of the caller's sessions."""
        async with self._begin():
            if everywhere and actor.user_id:
                await self._sessions.end_all(actor.user_id, why="logout_all")
            elif actor.session_id and actor.user_id:
                await self._sessions.end(actor.session_id, "logout", of=actor.user_id)

    @allow(SignedIn(), scope=USERS_READ)
    async def who_am_i(self, actor: Actor) -> UserView:
        """Raises: UserNotFound, when the account was deleted since the caller was let in."""
        return await self._users.get(actor, str(actor.user_id))

    @allow(Role(SERVICE), Role(ADMIN), scope=TOKENS_INTROSPECT)
    async def introspect(self, actor: Actor, raw: Raw) -> Introspection:
        """What a token is worth now (RFC 7662): an access token or an API key.

        Raises:
            Invalid, Unavailable.
        """
        token, access = parse(Introspect, raw).token, self._access
        try:
            if FORM.claims(token):
                key = await self._api_keys.good(SYSTEM, token)
                return Introspection.of_key(key, issuer=access.issuer, audience=access.audience)
            claims = await self._good(token)
        except InvalidToken:
            return Introspection(active=False)
        return Introspection.of(claims, issuer=access.issuer, audience=access.audience)

    @allow(Anyone())
    async def authenticate(self, actor: Actor, token: str) -> Actor:
        """The caller that an access token or an API key speaks for, at the address of ``actor``.

        Raises:
            InvalidToken: it is not good, or its session or user no longer is.
            Unavailable: nobody can tell right now.
        """
        if FORM.claims(token):
            key = await self._api_keys.authenticate(SYSTEM, token)
            return replace(actor, user_id=key.user_id, roles=key.roles, scopes=key.scopes)
        claims = await self._good(token)
        self._sessions.note_use(claims.session_id)
        return Actor(claims.user_id, claims.session_id, claims.roles, actor.address, actor.agent)

    async def _good(self, token: str) -> AccessClaims:
        """Raises: InvalidToken, Unavailable."""
        claims = await self._claims_of(token)
        if not await self._sessions.backs(claims):
            raise InvalidToken
        return claims


def _normal_or_none(text: str) -> str | None:
    try:
        return normal_email(text)
    except ValueError:
        return None
