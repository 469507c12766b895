"""Lists of users on three databases: totals, keyset walks among writers, rows like models."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest
import pytest_asyncio

from service.infra.cache import MemoryCache
from service.infra.changes import ChangeFeed
from service.infra.database import Database
from service.infra.totals import Totals
from service.users.lists import UserLists
from service.users.models import User, UserStatus
from service.users.repository import NewUser, UserRepository
from service.users.search import Match
from tests.support.databases import Backend, clear, fresh_database

EVERYBODY = Match()


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


class Hours:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture
async def clock() -> Hours:
    return Hours()


@pytest_asyncio.fixture
async def totals(clock: Hours) -> AsyncIterator[Totals]:
    totals = Totals(MemoryCache(clock=clock), clock=clock, refresh_after=0.04)
    yield totals
    await totals.close()


@pytest_asyncio.fixture
async def users(database: Database, totals: Totals) -> UserRepository:
    return UserRepository(UserLists(totals, exact_to=20), ChangeFeed(database))


async def add(database: Database, users: UserRepository, count: int, name: str = "Person") -> None:
    offset = await User.all().count()
    news = [
        NewUser(f"{name} {n}", f"{name}{n}@x.test".lower()) for n in range(offset, offset + count)
    ]
    async with database.transaction():
        await users.save_all(news)


async def test_a_total_is_exact_as_long_as_it_is_small(
    database: Database, users: UserRepository
) -> None:
    for count in range(1, 21):
        await add(database, users, 1)
        assert await users.total(EVERYBODY) == count
    assert await users.total(Match(term="person 1")) == 11


async def test_a_large_total_is_counted_behind_the_requests(
    database: Database, users: UserRepository, clock: Hours
) -> None:
    await add(database, users, 30)
    assert await users.total(EVERYBODY) == 30
    await add(database, users, 5)
    assert await users.total(EVERYBODY) == 30  # held, and young
    clock.now += 1
    async with asyncio.timeout(5):
        while await users.total(EVERYBODY) == 30:
            await asyncio.sleep(0.01)
    assert await users.total(EVERYBODY) == 35


async def test_no_total_older_than_five_seconds_is_given(
    database: Database, totals: Totals, clock: Hours
) -> None:
    counts = iter([1, 2])

    async def count() -> int:
        return next(counts)

    assert await totals.get("k", count) == 1
    clock.now += 5.01
    assert totals.held("k") is None
    assert await totals.get("k", count) == 2
    del database


async def test_many_who_ask_at_once_wait_for_one_count(totals: Totals) -> None:
    counted = 0

    async def count() -> int:
        nonlocal counted
        counted += 1
        await asyncio.sleep(0.02)
        return 7

    assert await asyncio.gather(*(totals.get("k", count) for _ in range(20))) == [7] * 20
    assert counted == 1


async def test_who_asks_and_goes_away_spoils_no_count(totals: Totals) -> None:
    async def count() -> int:
        await asyncio.sleep(0.02)
        return 7

    first = asyncio.create_task(totals.get("k", count))
    await asyncio.sleep(0.005)
    second = asyncio.create_task(totals.get("k", count))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 7


async def test_a_count_that_fails_is_told_to_who_asks_and_asked_again(totals: Totals) -> None:
    async def broken() -> int:
        raise OSError

    async def count() -> int:
        return 7

    with pytest.raises(OSError):
        await totals.get("k", broken)
    assert await totals.get("k", count) == 7


async def test_only_so_many_totals_are_held() -> None:
    totals = Totals(MemoryCache(), most=3)

    async def count() -> int:
        return 1

    for number in range(10):
        await totals.get(str(number), count)
    assert sum(totals.held(str(number)) is not None for number in range(10)) == 3
    await totals.close()


async def test_pages_by_number_and_by_cursor_are_the_same(
    database: Database, users: UserRepository
) -> None:
    await add(database, users, 23)
    by_number = [row.id for page in range(4) for row in (await users.page(EVERYBODY, page, 7)).rows]
    assert by_number == await walked(users, 7)
    assert [(await users.page(EVERYBODY, page, 7)).more for page in range(5)] == [
        *(True, True, True, False, False)
    ]


async def walked(users: UserRepository, size: int) -> list[UUID]:
    ids: list[UUID] = []
    after = None
    while True:
        page = await users.after(EVERYBODY, after, size)
        ids += [row.id for row in page.rows]
        if not page.more:
            return ids
        after = ids[-1]
        await asyncio.sleep(0)


async def test_a_walk_among_writers_meets_everybody_who_stays_exactly_once(
    database: Database, users: UserRepository
) -> None:
    await add(database, users, 120, "Stable")
    await add(database, users, 60, "Leaving")
    stable = {user.id for user in await User.filter(name__startswith="Stable")}
    leaving = list(await User.filter(name__startswith="Leaving").prefetch_related("roles"))

    async def come_and_go() -> None:
        for number, user in enumerate(leaving):
            async with database.transaction():
                await users.delete(user)
            if number % 3 == 0:
                async with database.transaction():
                    await users.save_all([NewUser("Late", f"late{number}@x.test")])

    writer = asyncio.create_task(come_and_go())
    walks = [await walked(users, 7) for _ in range(5)]
    await writer
    for ids in walks:
        assert ids == sorted(set(ids))
        assert stable <= set(ids)


async def test_a_listed_user_is_what_the_model_says(
    database: Database, users: UserRepository
) -> None:
    news = [NewUser("Ada", "ada@x.test", status=UserStatus.SUSPENDED, email_verified=True)]
    async with database.transaction():
        await users.save_all(news)
    user = await users.find_by_email("ada@x.test")
    (row,) = (await users.after(EVERYBODY, None, 10)).rows
    assert user is not None
    for name in ("id", "email", "name", "status", "email_verified", "version"):
        assert getattr(row, name) == getattr(user, name)
    assert (row.created_at, row.updated_at) == (user.created_at, user.updated_at)
    assert (row.roles, str(row.id)) == ([], str(user.id))
