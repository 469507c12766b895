"""Users in two tiers on several workers: never a wrong answer, whatever becomes of Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from service.core.access import SYSTEM
from service.infra.cache.two_tier import Shelf
from service.infra.changes import Change
from service.infra.changes.feed import BOUND
from service.infra.database import Database
from service.users import repository
from service.users.errors import UserNotFound
from service.users.facts import UserFacts
from service.users.models import User
from tests.support.caches import OwnRedis, own_redis
from tests.support.databases import Backend, clear, fresh_database
from tests.support.proxy import Proxy, proxied
from tests.support.storm import Storm
from tests.support.workers import Worker, workers

SETTLED = 5.0
"""Seconds after which all is normal again."""


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.connect()
    await clear(database)
    yield database
    await database.close()


@dataclass
class Place:
    """Two workers over one database, and the Redis between them."""

    team: list[Worker]
    redis: OwnRedis
    proxy: Proxy
    raw: Redis


@pytest_asyncio.fixture
async def place(database: Database, backend: Backend) -> AsyncIterator[Place]:
    if backend == "sqlite":
        pytest.skip("an embedded database has one worker; see the tests of one")
    async with _place(database) as place:
        yield place


@asynccontextmanager
async def _place(database: Database) -> AsyncIterator[Place]:
    async with own_redis() as redis, proxied("127.0.0.1", redis.port) as proxy:
        raw = Redis(port=redis.port)
        try:
            async with workers(database, f"redis://127.0.0.1:{proxy.port}/0") as team:
                await _normal(team)
                yield Place(team, redis, proxy, raw)
        finally:
            proxy.mode = "pass"
            await raw.aclose()


async def _normal(team: list[Worker], within: float = SETTLED) -> None:
    """Wait until every worker uses Redis and hears the others."""
    async with asyncio.timeout(within):
        for worker in team:
            while not (worker.feed.is_listening and worker.feed.is_fresh):
                await asyncio.sleep(0.02)
            while not await worker.cache.ping():
                await asyncio.sleep(0.02)


async def _shows(worker: Worker, user: str, name: str) -> None:
    """Any read that begins a second from now, or later, must."""
    began = asked = time.monotonic()
    while (await worker.user(user))[1] != name:
        assert asked - began < BOUND
        await asyncio.sleep(0.01)
        asked = time.monotonic()


def _counted(monkeypatch: pytest.MonkeyPatch, pause: float = 0.0) -> list[UUID]:
    """The readings that reach the database from now on; each takes ``pause`` seconds longer."""
    read, asked = repository._read_facts, list[UUID]()

    async def counted(user_id: UUID) -> UserFacts | None:
        asked.append(user_id)
        found = await read(user_id)
        await asyncio.sleep(pause)
        return found

    monkeypatch.setattr(repository, "_read_facts", counted)
    return asked


# --- one worker, without Redis -------------------------------------------------------------------


async def test_one_worker_reads_its_own_writes_at_once(database: Database) -> None:
    async with workers(database, count=1) as (worker,):
        user = await worker.make()
        for version in range(2, 12):
            assert (await worker.user(user))[:2] == (version - 1, f"v{version - 1}")
            assert await worker.rename(user, f"v{version}") == version
        await worker.services.roles.grant(SYSTEM, user, "service")
        assert (await worker.user(user))[2] == ["service", "user"]
        await worker.services.roles.revoke(SYSTEM, user, "service")
        assert (await worker.user(user))[2] == ["user"]
        await worker.services.users.set_status(SYSTEM, user, {"status": "suspended"})
        assert (await worker.services.users.get(SYSTEM, user)).status == "suspended"
        await worker.services.users.delete(SYSTEM, user)
        with pytest.raises(UserNotFound):
            await worker.user(user)


async def test_a_cached_answer_equals_a_fresh_one(database: Database) -> None:
    async with workers(database, count=1) as (worker,):
        user = await worker.make()
        await worker.services.users.update_profile(SYSTEM, user, {"bio": "Hello"})
        fresh = await worker.services.users.get(SYSTEM, user)
        profile = await worker.services.users.profile(SYSTEM, user)
        assert await worker.services.users.get(SYSTEM, user) == fresh
        assert await worker.services.users.profile(SYSTEM, user) == profile
        row = await User.get(id=user).prefetch_related("roles", "profile")
        assert fresh == type(fresh).of(row)
        assert profile == type(profile).of(row, row.profile)


async def test_a_cached_answer_costs_no_query(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workers(database, count=1) as (worker,):
        user, asked = await worker.make(), _counted(monkeypatch)
        for _ in range(10):
            await worker.user(user)
        assert len(asked) == 1


async def test_that_there_is_none_is_kept_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workers(database, count=1) as (worker,):
        asked = _counted(monkeypatch)
        for _ in range(10):
            with pytest.raises(UserNotFound):
                await worker.user("01900000-0000-7000-8000-000000000000")
        assert len(asked) == 1


async def test_a_reading_that_began_before_a_change_is_not_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workers(database, count=1) as (worker,):
        user = await worker.make()
        _counted(monkeypatch, pause=0.3)
        slow = asyncio.create_task(worker.user(user))
        await asyncio.sleep(0.1)
        await worker.rename(user, "v2")
        assert (await slow)[1] == "v1"
        assert (await worker.user(user))[1] == "v2"


async def test_nobody_who_asks_after_a_change_joins_a_reading_from_before_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workers(database, count=1) as (worker,):
        user = await worker.make()
        _counted(monkeypatch, pause=0.3)
        slow = asyncio.create_task(worker.user(user))
        await asyncio.sleep(0.1)
        await worker.rename(user, "v2")
        assert (await worker.user(user))[1] == "v2"
        assert (await slow)[1] == "v1"


async def test_many_who_ask_at_once_share_one_reading_and_its_failure_ends_with_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workers(database, count=1) as (worker,):
        user, asked = await worker.make(), _counted(monkeypatch, pause=0.05)
        tasks = [asyncio.create_task(worker.user(user)) for _ in range(50)]
        await asyncio.sleep(0.02)
        tasks[0].cancel()  # the one who reads for all
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert {str(answer) for answer in answers[1:]} == {"(1, 'v1', ['user'])"}
        assert len(asked) == 2


async def test_a_transaction_reads_what_it_wrote_and_leaves_nothing_behind(
    database: Database,
) -> None:
    async with workers(database, count=1) as (worker,):
        user = await worker.make()
        await worker.user(user)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012  # the transaction is one statement
            async with database.transaction():
                await worker.rename(user, "undone")
                assert (await worker.user(user))[1] == "undone"
                raise ZeroDivisionError
        assert (await worker.user(user))[1] == "v1"


async def test_a_blind_worker_asks_the_database_each_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workers(database, count=1) as (worker,):
        user = await worker.make()
        await worker.user(user)
        monkeypatch.setattr(type(worker.feed), "is_fresh", False)
        asked = _counted(monkeypatch)
        await User.filter(id=user).update(name="behind its back", version=2)
        assert (await worker.user(user))[1] == "behind its back"
        assert len(asked) == 1


async def test_no_more_is_kept_than_fits(database: Database) -> None:
    async with workers(database, count=1) as (worker,):
        shelf = Shelf(UserFacts, worker.feed, max_entries=10)
        for number in range(30):
            await shelf.get(UUID(int=number), _nobody)
        assert len(shelf) == 10


async def _nobody() -> None:
    return None


# --- two workers and Redis -----------------------------------------------------------------------


async def test_a_write_on_one_worker_is_read_on_the_other_within_a_second(place: Place) -> None:
    one, other = place.team
    user = await one.make()
    for version in range(2, 8):
        await other.user(user)
        await one.rename(user, f"v{version}")
        assert (await one.user(user))[1] == f"v{version}"
        await _shows(other, user, f"v{version}")
    await one.services.users.delete(SYSTEM, user)
    await asyncio.sleep(BOUND)
    for worker in place.team:
        with pytest.raises(UserNotFound):
            await worker.user(user)


async def test_nothing_in_redis_holds_a_hash(place: Place) -> None:
    one, _ = place.team
    user = await one.make()
    await one.user(user)
    await one.services.users.profile(SYSTEM, user)
    row = await User.get(id=user)
    assert row.password_hash
    kept = [await place.raw.get(key) for key in await place.raw.keys("*facts*")]
    assert len(kept) == 2
    assert not [data for data in kept if data is None or row.password_hash.encode() in data]


async def test_two_workers_read_the_database_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, asked = await place.team[0].make(), _counted(monkeypatch, pause=0.05)
    await asyncio.gather(*(worker.user(user) for worker in place.team for _ in range(20)))
    assert len(asked) == 1


async def test_a_slow_reader_on_one_worker_brings_nothing_back_that_another_deleted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = place.team
    user = await one.make()
    _counted(monkeypatch, pause=1.5)
    slow = asyncio.create_task(other.user(user))
    await asyncio.sleep(0.1)
    await one.services.users.delete(SYSTEM, user)
    await asyncio.gather(slow, return_exceptions=True)  # it began before: either answer is right
    for worker in place.team:
        with pytest.raises(UserNotFound):
            await worker.user(user)


async def test_an_old_value_that_stands_in_redis_again_is_not_believed(place: Place) -> None:
    """A snapshot restored, a fail-over to a late replica, a worker that wrote too late."""
    one, other = place.team
    user = await one.make()
    await one.user(user)
    key, old = await _kept(place)
    await one.rename(user, "v2")
    await _shows(other, user, "v2")
    for _ in range(3):
        await place.raw.set(key, old)
        for worker in place.team:
            worker.feed._apply(_about(user))  # forget it in the process
            assert (await worker.user(user))[1] == "v2"


async def _kept(place: Place) -> tuple[bytes, bytes]:
    """The one user in Redis: key and value."""
    (key,) = await place.raw.keys("*userfacts*")
    value = await place.raw.get(key)
    assert isinstance(key, bytes)
    assert isinstance(value, bytes)
    return key, value


def _about(user: str) -> Change:
    return Change(0, UUID(user), "user", 0.0)


async def test_a_worker_that_starts_later_does_not_believe_what_is_too_old(
    place: Place, database: Database
) -> None:
    one, _ = place.team
    user = await one.make()
    await one.user(user)
    key, old = await _kept(place)
    await one.rename(user, "v2")
    await place.raw.set(key, old)
    prefix = key.decode().split("userfacts")[0]
    async with workers(database, f"redis://127.0.0.1:{place.proxy.port}/0", count=1) as (late,):
        late.cache._prefix = prefix.encode()  # type: ignore[attr-defined]
        assert (await late.user(user))[1] == "v2"


# --- Redis in trouble, under load ----------------------------------------------------------------

Trouble = Callable[[Place], Awaitable[None]]


async def _stopped(place: Place) -> None:
    await place.redis.stop()
    await asyncio.sleep(1.5)
    await place.redis.start()


async def _frozen(place: Place) -> None:
    place.redis.freeze()
    await asyncio.sleep(1.5)
    place.redis.thaw()


async def _slow(place: Place) -> None:
    place.proxy.delay, place.proxy.mode = 0.5, "delay"
    await asyncio.sleep(1.5)
    place.proxy.mode = "pass"


async def _black_holed(place: Place) -> None:
    place.proxy.mode = "black-hole"
    await asyncio.sleep(1.5)
    place.proxy.mode = "pass"
    place.proxy.cut()


async def _cut(place: Place) -> None:
    for _ in range(10):
        place.proxy.cut()
        await asyncio.sleep(0.15)


async def _flushed(place: Place) -> None:
    for _ in range(30):
        await place.raw.flushall()
        await asyncio.sleep(0.05)


async def _healthy(place: Place) -> None:
    await asyncio.sleep(1.5)


@pytest.mark.backend("redis")
@pytest.mark.parametrize(
    "trouble", [_healthy, _stopped, _frozen, _slow, _black_holed, _cut, _flushed]
)
async def test_no_answer_is_wrong_and_all_is_normal_again_soon(
    place: Place, trouble: Trouble
) -> None:
    seed = time.time_ns() % 10**6
    print(f"seed {seed}")  # noqa: T201  # to find the schedule again
    storm = Storm(place.team, seed)
    await storm.begin()
    blowing = asyncio.create_task(storm.blow(3.0))
    await asyncio.sleep(0.5)
    await trouble(place)
    await _normal(place.team)
    await blowing
    assert not storm.verdict()


@pytest.mark.backend("redis")
@pytest.mark.parametrize("messages", [False], ids=["without messages"])
async def test_no_answer_is_wrong_when_every_message_is_lost(
    database: Database, backend: Backend, messages: bool
) -> None:
    if backend == "sqlite":
        pytest.skip("an embedded database has one worker")
    async with own_redis() as redis, workers(database, redis.url, messages=messages) as team:
        storm = Storm(team, time.time_ns() % 10**6)
        await storm.begin()
        await storm.blow(3.0)
        assert not storm.verdict()


async def test_no_answer_is_wrong_without_redis_at_all(database: Database) -> None:
    async with workers(database) as team:
        storm = Storm(team, time.time_ns() % 10**6)
        await storm.begin()
        await storm.blow(2.0)
        assert not storm.verdict()
