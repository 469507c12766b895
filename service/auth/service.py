"""The rules about registration, log-in, sessions and tokens."""

import logging
from typing import Literal

from service.auth.access_tokens import AccessClaims, AccessTokens
from service.auth.errors import InvalidCredentials, RegistrationClosed
from service.auth.models import Session
from service.auth.refresh_tokens import RefreshTokens
from service.auth.repository import Account, AccountRepository, SessionRepository, Turn
from service.auth.schemas import Introspect, Introspection, Login, Refresh, Register, TokenPair
from service.core.access import ADMIN, SERVICE, SYSTEM, Actor, Anyone, Role, SignedIn, allow
from service.core.errors import InvalidToken
from service.core.networks import network_of
from service.core.parsing import Raw, parse
from service.core.ports import Limiter, PasswordHasher, Transactions
from service.core.rates import (
    LOGINS_BY_ACCOUNT,
    LOGINS_BY_ADDRESS,
    REGISTRATIONS_BY_ACCOUNT,
    REGISTRATIONS_BY_ADDRESS,
)
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
        refresh_tokens: RefreshTokens,
        *,
        registration: Literal["open", "closed"] = "open",
    ) -> None:
        self._users, self._accounts, self._sessions = users, accounts, sessions
        self._begin, self._hasher, self._limiter = transactions, hasher, limiter
        self._access, self._refresh_tokens = access_tokens, refresh_tokens
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
        await self._limiter.forget(LOGINS_BY_ACCOUNT.kind, subject)
        return await self._begin_session(account)

    async def _verified(self, email: str | None, password: str) -> Account:
        """Raises: InvalidCredentials, Unavailable."""
        account = await self._accounts.find_by_email(email) if email else None
        encoded = account.password_hash if account else None
        good = await self._hasher.verify(encoded, password)
        if not (good and account and encoded and account.may_sign_in):
            raise InvalidCredentials
        if self._hasher.is_outdated(encoded):
            new = await self._hasher.hash(password)
            await self._accounts.rehash(account.user_id, old=encoded, new=new)
        return account

    async def _begin_session(self, verified: Account) -> TokenPair:
        """Raises: InvalidCredentials, when the account was barred since it was verified."""
        async with self._begin():
            account = await self._accounts.hold(verified.user_id)
            if account is None or not account.may_sign_in:
                raise InvalidCredentials
            session = await self._sessions.begin(account.user_id)
        return self._pair(account, session)

    @allow(Anyone())
    async def refresh(self, actor: Actor, raw: Raw) -> TokenPair:
        """Trade a refresh token for a new pair; each works once (RFC 9700 §4.14.2).

        The token just traded may be presented again for ``REPLAY_WINDOW``, by a client whose
        answer was lost, and gives the same successor. Any older one ends the session.

        Raises:
            Invalid, InvalidToken.
        """
        claim = self._refresh_tokens.read(parse(Refresh, raw).refresh_token)
        session = await self._sessions.find(claim.session_id)
        if session is None or not self._refresh_tokens.fits(claim, bytes(session.salt)):
            raise InvalidToken
        account = Account.of(session.user)
        if not account.may_sign_in:
            raise InvalidToken
        match await self._sessions.advance(session, claim.counter):
            case Turn.ADVANCED | Turn.REPLAYED:
                return self._pair(account, session)
            case Turn.REUSED:
                async with self._begin():  # of its own, so that it outlives the refusal
                    await self._sessions.end(session.id, why="refresh_reuse")
                log.warning("refresh token reused: session ended")
        raise InvalidToken

    def _pair(self, account: Account, session: Session) -> TokenPair:
        access = self._access.issue(account.user_id, session.id, account.roles, account.epoch)
        refresh = self._refresh_tokens.mint(session.id, session.counter, bytes(session.salt))
        return TokenPair(
            access_token=access,
            refresh_token=refresh,
            expires_in=int(self._access.lifetime.total_seconds()),
        )

    @allow(SignedIn())
    async def logout(self, actor: Actor, everywhere: bool = False) -> None:
        """End the session the caller's token belongs to, or all of the caller's sessions."""
        async with self._begin():
            if everywhere and actor.user_id:
                await self._sessions.end_all(actor.user_id, why="logout_all")
            elif actor.session_id:
                await self._sessions.end(actor.session_id, why="logout")

    @allow(SignedIn())
    async def who_am_i(self, actor: Actor) -> UserView:
        """Raises: UserNotFound, when the account was deleted since the caller was let in."""
        return await self._users.get(actor, str(actor.user_id))

    @allow(Role(SERVICE), Role(ADMIN))
    async def introspect(self, actor: Actor, raw: Raw) -> Introspection:
        """What a token is worth now (RFC 7662). Only access tokens are worth anything.

        Raises:
            Invalid.
        """
        try:
            claims = await self._good(parse(Introspect, raw).token)
        except InvalidToken:
            return Introspection(active=False)
        return Introspection.of(claims, issuer=self._access.issuer, audience=self._access.audience)

    @allow(Anyone())
    async def authenticate(self, actor: Actor, token: str) -> Actor:
        """The caller that an access token speaks for, at the address of ``actor``.

        Raises:
            InvalidToken: it is not good, or its session or user no longer is.
        """
        claims = await self._good(token)
        return Actor(claims.user_id, claims.session_id, claims.roles, actor.address)

    async def _good(self, token: str) -> AccessClaims:
        """Raises: InvalidToken."""
        claims = self._access.read(token)
        standing = await self._sessions.standing(claims.session_id)
        if standing is None or not standing.still_backs(claims):
            raise InvalidToken
        return claims


def _normal_or_none(text: str) -> str | None:
    try:
        return normal_email(text)
    except ValueError:
        return None
