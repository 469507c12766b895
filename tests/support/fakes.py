"""Stand-ins that behave: for unit tests of services, without a database or slow hashing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from service.core.access import ADMIN
from service.core.errors import Limited
from service.core.events import Event
from service.core.idempotency import Kept, KeyTaken
from service.core.ids import canonical, new_id
from service.core.metrics import Counter, Gauge, Histogram, Labels, Metric
from service.core.paging import Slice
from service.core.ports import PasswordHasher
from service.users.errors import EmailTaken, LastAdmin, UserNotFound
from service.users.models import UserStatus
from service.users.repository import NewUser
from service.users.search import Match
from tests.support.clock import START


@dataclass(frozen=True)
class FakeRole:
    """A role as a user row holds it."""

    name: str


@dataclass
class Person:
    """A user row."""

    email: str = "ada@example.com"
    name: str = "Ada"
    id: UUID = field(default_factory=new_id)
    password_hash: str | None = "hash of correct horse"  # what PlainHasher makes
    status: UserStatus = UserStatus.ACTIVE
    email_verified: bool = True
    roles: list[FakeRole] = field(default_factory=lambda: [FakeRole("user")])
    created_at: datetime = START
    updated_at: datetime = START
    version: int = 1

    def has_role(self, name: str) -> bool:
        return FakeRole(name) in self.roles


class FakeUsers:
    """A ``UserRepository`` over a dict, with the same refusals.

    A test holds it to having no method that the real one lacks.
    """

    def __init__(self, *people: Person) -> None:
        self.rows = {person.id: person for person in people}
        self.outdated: list[UUID] = []

    async def get(self, user_id: str | UUID, *, lock: bool = False) -> Person:
        key = user_id if isinstance(user_id, UUID) else canonical(user_id)
        if key is None or key not in self.rows:
            raise UserNotFound
        return self.rows[key]

    async def facts(self, user_id: str | UUID) -> Person:
        return await self.get(user_id)

    async def find_by_email(self, email: str) -> Person | None:
        return next((row for row in self.rows.values() if row.email == email), None)

    async def add(self, new: NewUser) -> Person:
        if await self.find_by_email(new.email):
            raise EmailTaken
        roles = [FakeRole(name) for name in new.roles]
        person = Person(new.email, new.name, password_hash=new.password_hash, roles=roles)
        person.email_verified = new.email_verified
        self.rows[person.id] = person
        return person

    async def save(self, user: Person) -> None:
        if any(row.email == user.email for row in self.rows.values() if row is not user):
            raise EmailTaken
        user.version += 1

    async def replace_hash(self, user: Person, new: str) -> bool:
        user.password_hash = new
        return True

    async def delete(self, user: Person) -> None:
        del self.rows[user.id]

    async def after(self, match: Match, after: UUID | None, size: int) -> Slice[Person]:
        rows = [row for row in self._matching(match) if after is None or row.id > after]
        return Slice(rows[:size], None, more=len(rows) > size)

    async def page(self, match: Match, page: int, size: int) -> Slice[Person]:
        rows = self._matching(match)
        first, last = page * size, (page + 1) * size
        return Slice(rows[first:last], len(rows), more=last < len(rows))

    def _matching(self, match: Match) -> list[Person]:
        rows = sorted(self.rows.values(), key=lambda row: row.id)
        return [row for row in rows if match.status in (None, row.status)]

    async def keep_an_admin(self, leaving: Person) -> None:
        others = [row for row in self.rows.values() if row is not leaving and row.has_role(ADMIN)]
        if leaving.has_role(ADMIN) and not others:
            raise LastAdmin

    async def grant(self, user: Person, role_name: str) -> bool:
        if user.has_role(role_name):
            return False
        user.roles.append(FakeRole(role_name))
        return True

    async def revoke(self, user: Person, role_name: str) -> bool:
        held = user.has_role(role_name)
        user.roles = [role for role in user.roles if role.name != role_name]
        return held

    async def get_all(self, user_ids: Sequence[UUID]) -> list[Person]:
        return [self.rows[user_id] for user_id in user_ids if user_id in self.rows]

    async def outdate_tokens(self, user_ids: Iterable[UUID]) -> None:
        for user_id in user_ids:
            self.outdated.append(user_id)
            self.rows[user_id].version += 1


class FakeAnswers:
    """``core.idempotency.Answers`` over a dict; nothing of it ever expires."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}

    async def find(self, key_hash: str) -> Kept | None:
        return self.kept.get(key_hash)

    async def keep(self, kept: Kept) -> None:
        if self.kept.setdefault(kept.key_hash, kept) is not kept:
            raise KeyTaken

    async def purge(self) -> int:
        return 0


class FakeTransactions:
    """Counts transactions, and says which were kept."""

    def __init__(self) -> None:
        self.committed = self.rolled_back = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator["FakeTransactions"]:
        try:
            yield self
        except BaseException:
            self.rolled_back += 1
            raise
        self.committed += 1

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        raise NotImplementedError


class FakeSessions:
    """A ``SessionEnder`` that remembers whose sessions were ended, and why."""

    def __init__(self) -> None:
        self.ended: list[tuple[UUID, str]] = []
        self.spared: UUID | None = None

    async def end_all(self, user_id: UUID, why: str, *, besides: UUID | None = None) -> int:
        self.ended.append((user_id, why))
        self.spared = besides
        return 1


class PlainHasher:
    """A ``PasswordHasher`` that costs nothing and hides nothing."""

    async def hash(self, password: str) -> str:
        return f"hash of {password}"

    async def verify(self, encoded: str | None, password: str) -> bool:
        return encoded == f"hash of {password}"

    def is_outdated(self, encoded: str) -> bool:
        return not encoded.startswith("hash of ")

    def close(self) -> None:
        pass


class SpyingHasher:
    """Another hasher's work, counted; ``failure`` is raised instead of working.

    ``outdated`` makes every stored hash one to be made anew.
    """

    def __init__(self, inner: PasswordHasher) -> None:
        self._inner = inner
        self.reset()

    def reset(self) -> None:
        self.hashed = self.verified = 0
        self.outdated = False
        self.failure: Exception | None = None

    async def hash(self, password: str) -> str:
        self.hashed += 1
        self._fail()
        return await self._inner.hash(password)

    async def verify(self, encoded: str | None, password: str) -> bool:
        self.verified += 1
        self._fail()
        return await self._inner.verify(encoded, password)

    def is_outdated(self, encoded: str) -> bool:
        return self.outdated or self._inner.is_outdated(encoded)

    def close(self) -> None:
        self._inner.close()

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class CountingLimiter:
    """A ``Limiter`` that allows ``allowed`` tries of each subject, whatever the rate says."""

    def __init__(self, allowed: int = 1_000_000) -> None:
        self.allowed = allowed
        self.counts: dict[tuple[str, str], int] = {}

    async def hit(self, kind: str, subject: str, *, at_most: int, within: timedelta) -> None:
        del at_most
        self.counts[kind, subject] = self.counts.get((kind, subject), 0) + 1
        if self.counts[kind, subject] > self.allowed:
            raise Limited(within)

    async def forget(self, kind: str, subject: str) -> None:
        self.counts.pop((kind, subject), None)


class FakePublisher:
    """Keeps what was told."""

    def __init__(self) -> None:
        self.told: list[Event] = []

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.told]

    async def publish(self, *events: Event) -> None:
        self.told += events


class FakeMeter:
    """A ``core.metrics.Meter`` that keeps what it is told, by metric and labels."""

    def __init__(self) -> None:
        self.counts: dict[tuple[Metric, Labels], float] = {}
        self.shown: dict[tuple[Metric, Labels], float] = {}
        self.observed: dict[tuple[Metric, Labels], int] = {}

    def count(self, metric: Counter, labels: Labels, amount: float) -> None:
        self.counts[metric, labels] = self.counts.get((metric, labels), 0) + amount

    def show(self, metric: Gauge, labels: Labels, value: float) -> None:
        self.shown[metric, labels] = value

    def observe(self, metric: Histogram, labels: Labels, value: float) -> None:
        """Counted; nobody asks how long something took."""
        self.observed[metric, labels] = self.observed.get((metric, labels), 0) + 1
