"""What must be done once is done by one process of all, also when that one dies or sleeps."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
import pytest_asyncio

from service.infra.chores import NAME, Chore, Chores
from service.infra.database import Database
from service.infra.leases import LeaseLostError, Leases
from tests.support.databases import Backend, clear, fresh_database

TTL = timedelta(seconds=1)
SOON = timedelta(milliseconds=50)


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


@pytest.fixture
def ours(database: Database) -> Leases:
    return Leases(database, ttl=TTL)


@pytest.fixture
def theirs(database: Database) -> Leases:
    return Leases(database, ttl=TTL)


async def until_taken(leases: Leases, name: str) -> float:
    """Try until it comes off; the seconds it took."""
    began = time.monotonic()
    async with asyncio.timeout(10):
        while not await leases.take(name):
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def test_one_of_two_gets_it_and_renews_it(ours: Leases, theirs: Leases) -> None:
    assert await ours.take("mail")
    assert not await theirs.take("mail")
    assert await ours.take("mail")
    assert ours.holds("mail")
    assert not theirs.holds("mail")
    assert await theirs.take("another")


async def test_of_many_at_once_one_gets_it(database: Database) -> None:
    crowd = [Leases(database, ttl=TTL) for _ in range(20)]
    taken = await asyncio.gather(*(leases.take("mail") for leases in crowd))
    assert sum(taken) == 1


async def test_when_the_holder_dies_the_next_has_it_once_the_time_is_over(
    ours: Leases, theirs: Leases
) -> None:
    assert await ours.take("mail")
    waited = await until_taken(theirs, "mail")
    assert waited > TTL.total_seconds() / 2
    assert not ours.holds("mail")
    assert not await ours.take("mail")


async def test_given_back_it_is_free_at_once(ours: Leases, theirs: Leases) -> None:
    assert await ours.take("mail")
    await theirs.give_back("mail")
    assert not await theirs.take("mail")
    await ours.give_back("mail")
    assert not ours.holds("mail")
    assert await theirs.take("mail")


async def test_a_holder_that_slept_may_not_act_although_it_does_not_know(
    database: Database, ours: Leases, theirs: Leases
) -> None:
    assert await ours.take("mail")
    async with database.transaction():
        await ours.confirm("mail")
    await until_taken(theirs, "mail")
    with pytest.raises(LeaseLostError):
        async with database.transaction():
            await ours.confirm("mail")
    assert not ours.holds("mail")


async def test_a_lease_that_ran_out_is_lost_although_nobody_took_it(
    database: Database, ours: Leases
) -> None:
    assert await ours.take("mail")
    await asyncio.sleep(TTL.total_seconds() + 0.1)
    with pytest.raises(LeaseLostError):
        async with database.transaction():
            await ours.confirm("mail")


async def test_nobody_takes_it_from_under_a_transaction_that_confirmed(
    database: Database, ours: Leases, theirs: Leases, backend: Backend
) -> None:
    if backend == "sqlite":
        pytest.skip("there a transaction keeps every other writer waiting")

    async def act() -> float:
        async with database.transaction():
            await ours.confirm("mail")
            confirmed.set()
            await asyncio.sleep(TTL.total_seconds() + 0.5)
            return time.monotonic()

    confirmed = asyncio.Event()
    assert await ours.take("mail")
    acting = asyncio.create_task(act())
    await confirmed.wait()
    await until_taken(theirs, "mail")
    assert acting.done() or time.monotonic() >= await acting


class Round:
    """A chore that counts its steps, and may be told to fail."""

    def __init__(self, steps: int = 1) -> None:
        self.steps, self.left, self.fails = 0, steps, False

    async def __call__(self) -> bool:
        if self.fails:
            raise ValueError("of a chore")
        self.steps += 1
        self.left -= 1
        return self.left > 0


def doing(database: Database, *works: Round) -> Chores:
    chores = [Chore(f"chore {n}", SOON, work) for n, work in enumerate(works)]
    return Chores(database, Leases(database, ttl=TTL), chores)


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.02)


async def test_chores_are_done_by_one_process_and_by_the_next_when_it_stops(
    database: Database,
) -> None:
    first, second = Round(), Round()
    one, other = doing(database, first), doing(database, second)
    one.start()
    await until(lambda: first.steps > 2)
    other.start()
    await asyncio.sleep(TTL.total_seconds())
    assert second.steps == 0
    await one.stop()
    done = first.steps
    await until(lambda: second.steps > 2)
    assert first.steps == done
    await other.stop()


async def test_a_chore_that_fails_is_logged_and_the_others_and_its_next_turn_go_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Round(), Round()
    bad.fails = True
    chores = doing(database, bad, good)
    with caplog.at_level(logging.ERROR, "arcana.chores"):
        chores.start()
        await until(lambda: good.steps > 2 and caplog.records)
    bad.fails = False
    await until(lambda: bad.steps > 0)
    await chores.stop()
    assert "of a chore" not in caplog.records[0].getMessage()


async def test_what_a_chore_did_is_undone_when_it_fails(database: Database) -> None:
    async def write_and_fail() -> bool:
        await database.client.execute_query(
            "INSERT INTO roles (id, name, created_at, updated_at)"
            " SELECT holder, 'half', until, until FROM leases"
        )
        raise ValueError

    chores = Chores(database, Leases(database, ttl=TTL), [Chore("half", SOON, write_and_fail)])
    chores.start()
    await asyncio.sleep(0.5)
    await chores.stop()
    found = await database.client.execute_query_dict("SELECT name FROM roles")
    assert found == []


async def test_a_paused_holder_does_nothing_after_another_took_over(database: Database) -> None:
    work = Round(steps=1000)
    leases = Leases(database, ttl=TTL)
    chores = Chores(database, leases, [Chore("long", SOON, work)])
    assert await leases.take(NAME)
    chores._ours.set()
    doing_it = asyncio.create_task(chores._do(chores._chores[0]))
    await until(lambda: work.steps > 0)
    other = Leases(database, ttl=TTL)
    # what a stopped process looks like from outside: its lease ran out while it stood there
    await database.client.execute_query("DELETE FROM leases")
    assert await other.take(NAME)
    done = work.steps
    await asyncio.wait_for(doing_it, 10)
    assert work.steps <= done + 1
    assert not chores._ours.is_set()


async def test_stop_is_harmless_before_start_and_twice(database: Database) -> None:
    chores = doing(database, Round())
    await chores.stop()
    chores.start()
    await chores.stop()
    await chores.stop()
