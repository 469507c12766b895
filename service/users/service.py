"""The rules about users."""

from collections.abc import AsyncIterator, Iterable
from uuid import UUID

from service.core.access import ADMIN, USER, Actor, Inside, Role, Self, allow
from service.core.errors import Invalid
from service.core.idempotency import Idempotency
from service.core.paging import Cursors, Page, Slice, pages
from service.core.parsing import Raw, parse
from service.core.ports import Limiter, PasswordHasher, SessionEnder, Transactions
from service.core.preconditions import Precondition
from service.core.rates import PASSWORD_CHECKS
from service.users.errors import WrongPassword
from service.users.models import ListedUser, User, UserStatus
from service.users.repository import NewUser, UserRepository
from service.users.schemas import (
    CreateUser,
    ListUsers,
    ProfileView,
    SetStatus,
    StreamUsers,
    UpdateProfile,
    UpdateUser,
    UserView,
)
from service.users.search import Match

STREAM_BATCH = 200


class UserService:
    """The rules about users. ``actor`` is who asks; every method states who may."""

    def __init__(
        self,
        users: UserRepository,
        transactions: Transactions,
        hasher: PasswordHasher,
        sessions: SessionEnder,
        limiter: Limiter,
        cursors: Cursors,
        idempotency: Idempotency,
    ) -> None:
        self._users, self._begin, self._hasher = users, transactions, hasher
        self._sessions, self._limiter, self._cursors = sessions, limiter, cursors
        self._idempotency = idempotency

    @allow(Role(ADMIN))
    async def create(self, actor: Actor, raw: Raw, idempotency_key: str | None = None) -> UserView:
        """Make an account that can log in at once.

        Raises:
            Invalid, EmailTaken, IdempotencyMismatch, Unavailable.
        """
        command = parse(CreateUser, raw)
        async with self._idempotency.once(actor, idempotency_key, command, UserView) as once:
            if once.is_first:
                password_hash = await self._hasher.hash(command.password)
                new = NewUser(command.name, command.email, password_hash, roles=(USER,))
                async with self._begin():
                    await once.keep(UserView.of(await self._users.add(new)))
        return once.answer

    @allow(Self("user_id"), Role(ADMIN))
    async def get(self, actor: Actor, user_id: str) -> UserView:
        """Raises: UserNotFound."""
        return UserView.of(await self._users.facts(user_id))

    @allow(Inside())
    async def find_by_email(self, actor: Actor, email: str) -> UserView | None:
        """The user of an address in its normal form (``core.text.normal_email``)."""
        user = await self._users.find_by_email(email)
        return UserView.of(user) if user else None

    @allow(Role(ADMIN))
    async def list(self, actor: Actor, raw: Raw) -> Page[UserView]:
        """A page of users in the order of their ids, by number or, with ``cursor``, by keyset.

        Raises:
            Invalid.
        """
        query = parse(ListUsers, raw)
        match = Match(query.status, query.q or "")
        if query.cursor is not None:
            after = self._cursors.open(query.cursor)
            return self._page(query, await self._users.after(match, after, query.size))
        return self._page(query, await self._users.page(match, query.page, query.size))

    def _page(self, query: ListUsers, found: Slice[ListedUser]) -> Page[UserView]:
        page: Page[UserView] = Page(
            data=[UserView.of(user) for user in found.rows],
            size=query.size,
            next_cursor=self._cursors.seal(found.rows[-1].id) if found.more else None,
        )
        if found.total is not None:
            page.page, page.total = query.page, found.total
            page.total_pages = pages(found.total, query.size)
        return page

    @allow(Role(ADMIN))
    def stream(self, actor: Actor, raw: Raw) -> AsyncIterator[UserView]:
        """Every match in the order of ids, a batch at a time; with a ``size`` just that page.

        Raises:
            Invalid.
        """
        query = parse(StreamUsers, raw)
        match = Match(query.status, query.q or "")
        return self._one_page(match, query) if query.size else self._every(match)

    async def _one_page(self, match: Match, query: StreamUsers) -> AsyncIterator[UserView]:
        for user in (await self._users.page(match, query.page, query.size)).rows:
            yield UserView.of(user)

    async def _every(self, match: Match) -> AsyncIterator[UserView]:
        after, more = None, True
        while more:
            found = await self._users.after(match, after, STREAM_BATCH)
            for user in found.rows:
                yield UserView.of(user)
                after = user.id
            more = found.more

    @allow(Self("user_id"), Role(ADMIN))
    async def update(
        self, actor: Actor, user_id: str, raw: Raw, if_match: str | None = None
    ) -> UserView:
        """Change the given fields; a changed e-mail is unverified again.

        Whoever changes their own e-mail proves with the password that it is really them, so that
        a stolen access token can't take the account over.

        Raises:
            Invalid, UserNotFound, EtagMismatch, EmailTaken, WrongPassword, Limited, Unavailable.
        """
        change, expected = parse(UpdateUser, raw), Precondition.read(if_match)
        await self._prove_identity(actor, await self._users.get(user_id), change)
        async with self._begin():
            user = await self._users.get(user_id, lock=True)
            expected.check(user.version)
            if "email" in change.changes and change.email != user.email:
                user.email, user.email_verified = change.email, False
            if "name" in change.changes:
                user.name = change.name
            await self._users.save(user)
        return UserView.of(user)

    async def _prove_identity(self, actor: Actor, user: User, change: UpdateUser) -> None:
        """Raises: Invalid, WrongPassword, Limited, Unavailable."""
        if "email" not in change.changes or change.email == user.email or actor.user_id != user.id:
            return
        if "current_password" not in change.changes:
            raise Invalid({"current_password": ["Required to change your own e-mail."]})
        await PASSWORD_CHECKS.hit(self._limiter, str(user.id))
        if not await self._hasher.verify(user.password_hash, change.current_password):
            raise WrongPassword

    @allow(Role(ADMIN))
    async def set_status(
        self, actor: Actor, user_id: str, raw: Raw, if_match: str | None = None
    ) -> UserView:
        """Make an account active, inactive or suspended; only the active keep their sessions.

        Raises:
            Invalid, UserNotFound, EtagMismatch, LastAdmin.
        """
        status, expected = parse(SetStatus, raw).status, Precondition.read(if_match)
        async with self._begin():
            user = await self._users.get(user_id, lock=True)
            expected.check(user.version)
            if status is not UserStatus.ACTIVE:
                await self._users.keep_an_admin(leaving=user)
                await self._sessions.end_all(user.id, why=f"user_{status}")
            user.status = status
            await self._users.save(user)
        return UserView.of(user)

    @allow(Role(ADMIN))
    async def delete(self, actor: Actor, user_id: str, if_match: str | None = None) -> None:
        """Delete an account with its profile, roles and sessions; its e-mail is free again.

        Raises:
            Invalid, UserNotFound, EtagMismatch, LastAdmin.
        """
        expected = Precondition.read(if_match)
        async with self._begin():
            user = await self._users.get(user_id, lock=True)
            expected.check(user.version)
            await self._users.keep_an_admin(leaving=user)
            await self._users.delete(user)

    @allow(Role(ADMIN))
    async def grant_role(self, actor: Actor, user_id: str, name: str) -> None:
        """Give a user an existing role; the access tokens given out before are refused from now on.

        Raises:
            UserNotFound, RoleNotFound.
        """
        async with self._begin():
            user = await self._users.get(user_id, lock=True)
            if await self._users.grant(user, name):
                await self._users.outdate_tokens([user.id])

    @allow(Role(ADMIN))
    async def revoke_role(self, actor: Actor, user_id: str, name: str) -> None:
        """Take a role from a user; the access tokens given out before are refused from now on.

        Raises:
            UserNotFound, LastAdmin.
        """
        async with self._begin():
            user = await self._users.get(user_id, lock=True)
            if name == ADMIN:
                await self._users.keep_an_admin(leaving=user)
            if await self._users.revoke(user, name):
                await self._users.outdate_tokens([user.id])

    @allow(Inside())
    async def outdate_tokens(self, actor: Actor, user_ids: Iterable[UUID]) -> None:
        """Have every access token given out so far to these users refused from the commit on."""
        await self._users.outdate_tokens(user_ids)

    @allow(Self("user_id"), Role(ADMIN))
    async def profile(self, actor: Actor, user_id: str) -> ProfileView:
        """Raises: UserNotFound."""
        facts = await self._users.profile_facts(user_id)
        return ProfileView.of(facts, facts)

    @allow(Self("user_id"), Role(ADMIN))
    async def update_profile(
        self, actor: Actor, user_id: str, raw: Raw, if_match: str | None = None
    ) -> ProfileView:
        """Change the given fields of a profile; null clears one.

        Raises:
            Invalid, UserNotFound, EtagMismatch.
        """
        changes, expected = parse(UpdateProfile, raw).changes, Precondition.read(if_match)
        async with self._begin():
            user = await self._users.get(user_id, lock=True)
            expected.check(user.version)
            return ProfileView.of(user, await self._users.save_profile(user, changes))

    @allow(Inside())
    async def make_first_admin(self, actor: Actor, raw: Raw) -> UserView | None:
        """Make an active admin unless there is one already.

        Raises:
            Invalid, EmailTaken, Unavailable.
        """
        if await self._users.has_admin():
            return None
        command = parse(CreateUser, raw)
        password_hash = await self._hasher.hash(command.password)
        new = NewUser(command.name, command.email, password_hash, roles=(USER, ADMIN))
        async with self._begin():
            return UserView.of(await self._users.add(new))
