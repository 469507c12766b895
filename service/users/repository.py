"""Named queries over users, their roles and profiles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F

from service.core.access import ADMIN
from service.core.clock import Clock, utc_now
from service.core.ids import canonical, new_id
from service.core.paging import Slice
from service.core.text import folded
from service.infra.cache import Cache
from service.infra.cache.two_tier import Shelf
from service.infra.changes import ChangeFeed
from service.infra.database import foreign_key_violation, insert_rows, unique_violation
from service.roles.errors import RoleNotFound
from service.roles.models import Role
from service.users.errors import EmailTaken, LastAdmin, UserNotFound
from service.users.facts import ProfileFacts, UserFacts
from service.users.lists import UserLists
from service.users.models import ListedUser, RoleName, SyncStatus, User, UserProfile, UserStatus
from service.users.search import Match

T = TypeVar("T")

PROFILE_FIELDS = ("avatar_url", "bio", "phone")
USER_COLUMNS = (
    *("id", "email", "password_hash", "name", "search", "status", "sync_status"),
    *("email_verified", "token_epoch", "created_at", "updated_at", "version", "external_id"),
)
PROFILE_COLUMNS = ("id", "user_id", *PROFILE_FIELDS, "created_at", "updated_at")
CHANGEABLE = ("name", "email", "status", "email_verified")
STAMPS = ("version", "sync_status")


@dataclass(frozen=True, slots=True)
class NewUser:
    """A row to be: everything in its normal form already."""

    name: str
    email: str
    password_hash: str | None = None
    status: UserStatus = UserStatus.ACTIVE
    email_verified: bool = False
    profile: dict[str, str | None] | None = None
    roles: tuple[str, ...] = ()
    external_id: str | None = None
    created_at: datetime | None = None


class UserRepository:
    """Users by id, e-mail, status and search, always in the order of their ids.

    Every user that leaves here has its roles fetched. Every write but an insert, of which nobody
    can have kept anything, is written down in the change feed: that is what drops cached facts.
    """

    def __init__(
        self,
        lists: UserLists,
        changes: ChangeFeed,
        shared: Cache | None = None,
        clock: Clock = utc_now,
        ttl: timedelta = timedelta(hours=1),
        *,
        is_synced: bool = False,
    ) -> None:
        """``shared`` is the cache of all workers, where facts stay for ``ttl``.

        With ``is_synced`` each change waits for directories to be told (``sync_status``).
        """
        self._fresh = SyncStatus.PENDING if is_synced else SyncStatus.SYNCED
        self._lists, self._changes, self._clock = lists, changes, clock
        self._facts = Shelf(UserFacts, changes, shared, ttl=ttl)
        self._profiles = Shelf(ProfileFacts, changes, shared, ttl=ttl)

    async def facts(self, user_id: str | UUID) -> UserFacts:
        """What clients see of a user, from the nearest place that has it (docs/decisions/0011).

        Raises:
            UserNotFound: there is none, or the id is not a canonical UUID.
        """
        key = _key(user_id)
        return _found(await self._facts.get(key, lambda: _read_facts(key)))

    async def profile_facts(self, user_id: str | UUID) -> ProfileFacts:
        """What clients see of a profile, likewise; empty until something is told.

        Raises:
            UserNotFound: there is no such user, or the id is not a canonical UUID.
        """
        key = _key(user_id)
        return _found(await self._profiles.get(key, lambda: _read_profile(key)))

    async def get(self, user_id: str | UUID, *, lock: bool = False) -> User:
        """The user of that id; with ``lock`` nobody else changes the row before the commit.

        Raises:
            UserNotFound: there is none, or the id is not a canonical UUID.
        """
        user = await self.find_by_id(user_id, lock=lock)
        if user is None:
            raise UserNotFound
        return user

    async def find_by_id(self, user_id: str | UUID, *, lock: bool = False) -> User | None:
        key = user_id if isinstance(user_id, UUID) else canonical(user_id)
        if key is None:
            return None
        rows = User.filter(id=key)
        return await (rows.select_for_update() if lock else rows).prefetch_related("roles").first()

    async def get_all(self, user_ids: Sequence[UUID]) -> Sequence[User]:
        """Those of the users that there are; for some hundreds at a time."""
        return await User.filter(id__in=user_ids).prefetch_related("roles").order_by("id")

    async def find_by_email(self, email: str) -> User | None:
        """The user of an address in its normal form."""
        return await User.filter(email=email).prefetch_related("roles").first()

    async def exists_by_email(self, email: str) -> bool:
        return await User.filter(email=email).exists()

    async def role_names(self) -> set[str]:
        return {role.name for role in await Role.all()}

    async def find_by_status(
        self, status: UserStatus, *, after: UUID | None = None, size: int
    ) -> Slice[ListedUser]:
        return await self.after(Match(status=status), after, size)

    async def find_pending_sync(self, *, after: UUID | None = None, size: int) -> Slice[ListedUser]:
        return await self.after(Match(sync_status=SyncStatus.PENDING), after, size)

    async def search(self, term: str, *, page: int = 0, size: int = 10) -> Slice[ListedUser]:
        return await self.page(Match(term=term), page, size)

    async def page(self, match: Match, page: int, size: int) -> Slice[ListedUser]:
        """A page by number, with the total."""
        return await self._lists.page(match, page, size)

    async def after(self, match: Match, after: UUID | None, size: int) -> Slice[ListedUser]:
        """The ``size`` users that follow ``after``; the last page costs what the first does."""
        return await self._lists.after(match, after, size)

    async def total(self, match: Match) -> int:
        """How many match: exact to ``EXACT_TOTAL``, beyond that at most ``TOTAL_AGE`` s old."""
        return await self._lists.total(match)

    async def add(self, new: NewUser) -> User:
        """Insert one user with its roles and profile; call it inside a transaction.

        Raises:
            EmailTaken: the unique index says so.
        """
        await self.save_all([new])
        user = await self.find_by_email(new.email)
        assert user is not None  # inserted just above, in this transaction
        return user

    async def save_all(self, news: Sequence[NewUser]) -> list[ListedUser]:
        """Insert many users with their roles and profiles; call it inside a transaction.

        Raises:
            EmailTaken: one of them is registered already; none is inserted.
        """
        now = self._clock()
        ids = [new_id() for _ in news]
        both = list(zip(ids, news, strict=True))
        try:
            await insert_rows(
                "users", USER_COLUMNS, [self._row(id_, new, now) for id_, new in both]
            )
        except IntegrityError as error:
            raise _translated(error) from None
        profiles = [
            (new_id(), id_, *map(new.profile.get, PROFILE_FIELDS), new.created_at or now, now)
            for id_, new in both
            if new.profile
        ]
        await insert_rows("user_profiles", PROFILE_COLUMNS, profiles)
        await self._give_roles([(id_, name) for id_, new in both for name in new.roles])
        return [_listed(id_, new, now) for id_, new in both]

    def _row(self, user_id: UUID, new: NewUser, now: datetime) -> tuple[object, ...]:
        """The values of ``USER_COLUMNS``."""
        return (
            *(user_id, new.email, new.password_hash, new.name, _search_text(new.name, new.email)),
            *(new.status.value, self._fresh.value, new.email_verified, 0),
            *(new.created_at or now, now, 1, new.external_id),
        )

    async def _give_roles(self, pairs: list[tuple[UUID, str]]) -> None:
        if not pairs:
            return
        ids = {role.name: role.id for role in await Role.filter(name__in={n for _, n in pairs})}
        await insert_rows(
            "user_roles", ("user_id", "role_id"), [(user, ids[name]) for user, name in pairs]
        )

    async def save(self, user: User) -> None:
        """Store a changed name, e-mail, status or verification of a locked user.

        Raises:
            EmailTaken: the unique index says so.
        """
        user.search = _search_text(user.name, user.email)
        user.updated_at = self._clock()
        user.version += 1
        user.sync_status = self._fresh
        try:
            await user.save(update_fields=[*CHANGEABLE, *STAMPS, "search", "updated_at"])
        except IntegrityError as error:
            raise _translated(error) from None
        await self._changes.append(user.id, "user")

    async def replace_hash(self, user: User, new: str) -> bool:
        """Store another password's hash; False when the one that ``user`` shows was replaced.

        No answer shows a hash, so the version stays.
        """
        unchanged = User.filter(id=user.id, password_hash=user.password_hash)
        return bool(await unchanged.update(password_hash=new))

    async def delete(self, user: User) -> None:
        """Delete the row; its profile, roles and sessions go with it."""
        await user.delete()
        await self._changes.append(user.id, "deleted")

    async def keep_an_admin(self, leaving: User) -> None:
        """Make sure that an active admin remains when ``leaving`` is one no longer.

        Holds the admin role's row until the commit, so that two admins can't remove each other
        at once. Call it inside a transaction.

        Raises:
            LastAdmin: nobody else is an active admin.
        """
        if not (leaving.has_role(ADMIN) and leaving.status is UserStatus.ACTIVE):
            return
        await Role.filter(name=ADMIN).select_for_update().first()
        if not await self.has_admin(besides=leaving.id):
            raise LastAdmin

    async def has_admin(self, besides: UUID | None = None) -> bool:
        """Whether anybody (else) is an active admin."""
        admins = User.filter(roles__name=ADMIN, status=UserStatus.ACTIVE)
        return await (admins.exclude(id=besides) if besides else admins).exists()

    async def grant(self, user: User, role_name: str) -> bool:
        """Give a locked user a role; False when it held it before or there is no such role.

        Raises:
            RoleNotFound: somebody deletes the role at this moment.
        """
        role = await Role.filter(name=role_name).first()
        if role is None or user.has_role(role_name):
            return False
        try:
            await user.roles.add(role)
        except IntegrityError as error:
            if not foreign_key_violation(error):
                raise
            raise RoleNotFound from None
        return True

    async def revoke(self, user: User, role_name: str) -> bool:
        """Take a role from a locked user; False when it did not hold it."""
        held = [role for role in user.roles if role.name == role_name]
        if held:
            await user.roles.remove(*held)
        return bool(held)

    async def outdate_tokens(self, user_ids: Iterable[UUID]) -> None:
        """Have every access token given out so far to these users refused from the commit on."""
        users = list(user_ids)
        await User.filter(id__in=users).update(
            token_epoch=F("token_epoch") + 1,
            version=F("version") + 1,
            updated_at=self._clock(),
            sync_status=self._fresh,
        )
        await self._changes.append_all(users, "roles")

    async def profile(self, user_id: UUID) -> UserProfile | None:
        return await UserProfile.filter(user_id=user_id).first()

    async def save_profile(self, user: User, changes: dict[str, str | None]) -> UserProfile:
        """Change the given fields of a profile, made when there was none; lock the user first.

        The user's version is the profile's too, so it rises; nothing else of the user changes.
        """
        user.version += 1
        user.sync_status = self._fresh
        await user.save(update_fields=STAMPS)
        profile = await self.profile(user.id) or UserProfile(user=user, created_at=self._clock())
        profile.update_from_dict(changes)
        profile.updated_at = self._clock()
        await profile.save()
        await self._changes.append(user.id, "profile")
        return profile


def _key(user_id: str | UUID) -> UUID:
    key = user_id if isinstance(user_id, UUID) else canonical(user_id)
    if key is None:
        raise UserNotFound
    return key


def _found(facts: T | None) -> T:
    if facts is None:
        raise UserNotFound
    return facts


async def _read_facts(user_id: UUID) -> UserFacts | None:
    return UserFacts.of(await User.filter(id=user_id).values(*UserFacts.COLUMNS))


async def _read_profile(user_id: UUID) -> ProfileFacts | None:
    return ProfileFacts.of(await User.filter(id=user_id).values(*ProfileFacts.COLUMNS))


def _listed(user_id: UUID, new: NewUser, now: datetime) -> ListedUser:
    """The user that was just inserted, as lists show it."""
    return ListedUser(
        id=user_id,
        email=new.email,
        name=new.name,
        status=new.status,
        email_verified=new.email_verified,
        created_at=new.created_at or now,
        updated_at=now,
        version=1,
        roles=[RoleName(name) for name in new.roles],
    )


def _search_text(name: str, email: str) -> str:
    return f"{folded(name)}\n{folded(email)}"


def _translated(error: IntegrityError) -> Exception:
    return EmailTaken() if "email" in (unique_violation(error) or "") else error
