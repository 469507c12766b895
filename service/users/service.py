"""The rules about users."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from service.core.access import ADMIN, SERVICE, USER, Actor, Inside, Role, Self, allow
from service.core.errors import Invalid
from service.core.events import Publisher
from service.core.idempotency import Idempotency
from service.core.paging import Cursors, Page
from service.core.parsing import Raw, parse
from service.core.ports import Limiter, PasswordHasher, SessionEnder, Transactions
from service.core.preconditions import Precondition
from service.core.rates import PASSWORD_CHECKS
from service.core.scopes import ROLES_WRITE, USERS_READ, USERS_WRITE
from service.users import events
from service.users.errors import WrongPassword
from service.users.events import told, told_profile
from service.users.models import User, UserStatus
from service.users.passwords import refuse_familiar
from service.users.repository import NewUser, UserRepository
from service.users.schemas import (
    ChangePassword,
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
        publisher: Publisher,
    ) -> None:
        self._users, self._begin, self._hasher = users, transactions, hasher
        self._sessions, self._limiter, self._cursors = sessions, limiter, cursors
        self._idempotency, self._events = idempotency, publisher

    @allow(Role(ADMIN), scope=USERS_WRITE)
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
                    await once.keep(await self._add(new))
        return once.answer

    async def _add(self, new: NewUser) -> UserView:
        """Raises: EmailTaken."""
        user = await self._users.add(new)
        await self._events.publish(told(events.CREATED, user))
        return UserView.of(user)

    @allow(Self("user_id"), Role(ADMIN), scope=USERS_READ)
    async def get(self, actor: Actor, user_id: str) -> UserView:
        """Raises: UserNotFound."""
        return UserView.of(await self._users.facts(user_id))

    @allow(Inside())
    async def find_by_email(self, actor: Actor, email: str) -> UserView | None:
        """The user of an address in its normal form (``core.text.normal_email``)."""
        user = await self._users.find_by_email(email)
        return UserView.of(user) if user else None

    @allow(Role(ADMIN), scope=USERS_READ)
    async def list(self, actor: Actor, raw: Raw) -> Page[UserView]:
        """A page of users in the order of their ids, by number or, with ``cursor``, by keyset.

        Raises:
            Invalid.
        """
        query = parse(ListUsers, raw)
        match = Match(query.status, query.q or "")
        found = (
            await self._users.page(match, query.page, query.size)
            if query.cursor is None
            else await self._users.after(match, self._cursors.open(query.cursor), query.size)
        )
        return self._cursors.page(query, found, UserView.of)

    @allow(Role(ADMIN), scope=USERS_READ)
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

    @allow(Inside())
    async def after(self, actor: Actor, after: UUID | None, size: int) -> Sequence[UserView]:
        """The ``size`` users that follow ``after``, in the order of ids."""
        found = await self._users.after(Match(), after, size)
        return [UserView.of(user) for user in found.rows]

    @allow(Self("user_id"), Role(ADMIN), scope=USERS_WRITE)
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
            await self._events.publish(told(events.UPDATED, user))
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

    @allow(Self("user_id"), scope=None)
    async def change_password(self, actor: Actor, user_id: str, raw: Raw) -> None:
        """Take a new password from whoever knows the current one; other sessions end.

        Of two changes at once one finds that its current password no longer is.

        Raises:
            Invalid, UserNotFound, WrongPassword, Limited, Unavailable.
        """
        command = parse(ChangePassword, raw)
        user = await self._users.get(user_id)
        _refuse_familiar(command.password, user)
        await PASSWORD_CHECKS.hit(self._limiter, str(user.id))
        for _ in range(3):  # a log-in may make the hash of the same password anew
            if await self._replace_password(actor, user, await self._proved(user, command)):
                return
            user = await self._users.get(user_id)
        raise WrongPassword

    async def _proved(self, user: User, command: ChangePassword) -> str:
        """The new password's hash, once the current one is seen to be the account's.

        Raises:
            WrongPassword, Unavailable.
        """
        if not await self._hasher.verify(user.password_hash, command.current_password):
            raise WrongPassword
        return await self._hasher.hash(command.password)

    async def _replace_password(self, actor: Actor, user: User, new: str) -> bool:
        """Whether it was still the hash that was proved; what follows is one commit with it."""
        async with self._begin():
            replaced = await self._users.replace_hash(user, new)
            if replaced:
                await self._sessions.end_all(
                    user.id, why="password_changed", besides=actor.session_id
                )
                await self._events.publish(told(events.PASSWORD_CHANGED, user))
        return replaced

    @allow(Role(ADMIN), scope=USERS_WRITE)
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
            await self._events.publish(told(events.STATUS_CHANGED, user))
        return UserView.of(user)

    @allow(Role(ADMIN), scope=USERS_WRITE)
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
            await self._events.publish(told(events.DELETED, user))

    @allow(Role(ADMIN), scope=ROLES_WRITE)
    async def grant_role(self, actor: Actor, user_id: str, name: str) -> None:
        """Give a user an existing role; the access tokens given out before are refused from now on.

        Raises:
            UserNotFound, RoleNotFound.
        """
        async with self._begin():
            user = await self._users.get(user_id, lock=True)
            if await self._users.grant(user, name):
                await self._outdate(user.id)

    @allow(Role(ADMIN), scope=ROLES_WRITE)
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
                await self._outdate(user.id)

    @allow(Inside())
    async def outdate_tokens(self, actor: Actor, user_ids: Sequence[UUID]) -> None:
        """Have every access token given out so far to these users refused from the commit on."""
        await self._users.outdate_tokens(user_ids)

    @allow(Inside())
    async def tell_of_roles(self, actor: Actor, user_ids: Sequence[UUID]) -> None:
        """Publish that these users got or lost a role, once they have, in the same transaction."""
        await self._tell_of_roles(user_ids)

    async def _outdate(self, user_id: UUID) -> None:
        await self._users.outdate_tokens([user_id])
        await self._tell_of_roles([user_id])

    async def _tell_of_roles(self, user_ids: Sequence[UUID]) -> None:
        for at in range(0, len(user_ids), STREAM_BATCH):
            changed = await self._users.get_all(user_ids[at : at + STREAM_BATCH])
            await self._events.publish(*(told(events.ROLES_CHANGED, user) for user in changed))

    @allow(Self("user_id"), Role(ADMIN), scope=USERS_READ)
    async def profile(self, actor: Actor, user_id: str) -> ProfileView:
        """Raises: UserNotFound."""
        facts = await self._users.profile_facts(user_id)
        return ProfileView.of(facts, facts)

    @allow(Self("user_id"), Role(ADMIN), scope=USERS_WRITE)
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
            profile = ProfileView.of(user, await self._users.save_profile(user, changes))
            await self._events.publish(told_profile(user, profile))
        return profile

    @allow(Inside())
    async def make_service_account(self, actor: Actor, name: str, email: str) -> UserView:
        """Make an account for a machine: without a password, so that only client secrets open it.

        Raises:
            EmailTaken.
        """
        new = NewUser(name, email, roles=(SERVICE,))
        async with self._begin():
            return await self._add(new)

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
            return await self._add(new)


def _refuse_familiar(password: str, user: User) -> None:
    """Raises: Invalid, when the password is the account's own e-mail or name."""
    try:
        refuse_familiar(password, user.email, user.name)
    except ValueError as error:
        raise Invalid({"password": [str(error)]}) from None
