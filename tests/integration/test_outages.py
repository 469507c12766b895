"""Databases that die, hang, fill up and come back; ``make chaos-data`` plays the same at length."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from tortoise.exceptions import TransactionManagementError

from service.infra.database import Database, DatabaseUnavailable
from service.infra.database.guard import IN_DOUBT
from service.infra.migrations import Migrator
from service.users.models import User
from tests.support.databases import fresh_database
from tests.support.outages import database_killed, database_swallowed, worker_killed
from tests.support.proxy import Proxy, proxied
from tests.support.servers import SERVERS, OwnServer, own_server

T = TypeVar("T")

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")

MARGIN = 10.0
"""Seconds for a noisy machine; the strict numbers are `make chaos-data`'s."""
QUERY_SECONDS = 0.6


@pytest.fixture(scope="module", params=sorted(SERVERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="module")
async def server(kind: str) -> AsyncIterator[OwnServer]:
    async with own_server(kind) as server:
        await Migrator(Database(server.url())).up()
        yield server


@pytest_asyncio.fixture
async def proxy(server: OwnServer) -> AsyncIterator[Proxy]:
    await server.start()
    async with proxied("127.0.0.1", server.port) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def database(server: OwnServer, proxy: Proxy) -> AsyncIterator[Database]:
    """The server seen through a proxy, without rows."""
    database = Database(
        server.url(port=proxy.port),
        pool_size=3,
        connect_timeout=QUERY_SECONDS,
        pool_timeout=QUERY_SECONDS,
        command_timeout=QUERY_SECONDS,
    )
    await server.execute("DELETE FROM users", "arcana")
    await database.connect()
    yield database
    proxy.mode = "pass"
    await database.close()


async def make_user(email: str = "ada@example.com") -> User:
    return await User.create(email=email, name="Ada", search="ada")


async def count_users() -> int:
    return await User.all().count()


async def fill_the_pool(database: Database) -> None:
    """Have every connection of the pool open and at rest."""

    async def one() -> None:
        async with database.transaction():
            await User.all().count()
            await asyncio.sleep(0.05)

    await asyncio.gather(*(one() for _ in range(3)))


async def until_it_serves(database: Database) -> float:
    """Seconds until a command is answered again."""
    began = time.monotonic()
    while True:
        try:
            await User.all().count()
        except DatabaseUnavailable:
            assert time.monotonic() - began < MARGIN
            await asyncio.sleep(0.02)
        else:
            return time.monotonic() - began


# Connections that broke


async def broken_under_way(proxy: Proxy, command: Coroutine[Any, Any, T]) -> T:
    """Run a command whose first connection breaks after it was sent; fresh ones are sound."""
    proxy.mode = "black-hole"
    task = asyncio.ensure_future(command)
    await asyncio.sleep(QUERY_SECONDS / 4)
    proxy.cut()
    proxy.mode = "pass"
    return await task


async def test_a_read_on_a_broken_connection_is_tried_once_more(
    database: Database, proxy: Proxy
) -> None:
    await make_user()
    await fill_the_pool(database)
    assert await broken_under_way(proxy, count_users()) == 1


async def test_a_read_is_not_tried_a_third_time(database: Database, proxy: Proxy) -> None:
    proxy.mode = "cut"
    before = proxy.accepted
    with pytest.raises(DatabaseUnavailable):
        await User.all().count()
    await database.close()
    assert proxy.accepted - before <= 3  # the second try, and a probe or two


async def test_a_write_on_a_broken_connection_is_not_tried_again(
    database: Database, proxy: Proxy
) -> None:
    await fill_the_pool(database)
    with pytest.raises(DatabaseUnavailable) as caught:
        await broken_under_way(proxy, make_user())
    assert caught.value.text == IN_DOUBT


async def test_a_transaction_begins_anew_on_a_fresh_connection(
    database: Database, proxy: Proxy
) -> None:
    async def write() -> None:
        async with database.transaction():
            await make_user()

    await fill_the_pool(database)
    await broken_under_way(proxy, write())
    assert await User.all().count() == 1


async def test_a_write_whose_answer_is_lost_is_not_repeated_and_says_that_it_is_in_doubt(
    database: Database, proxy: Proxy, server: OwnServer
) -> None:
    await fill_the_pool(database)
    proxy.mode = "black-hole"
    with pytest.raises(DatabaseUnavailable) as caught:
        await make_user()
    assert caught.value.text == IN_DOUBT
    proxy.cut()
    proxy.mode = "pass"
    await until_it_serves(database)
    assert (await server.execute("SELECT COUNT(*) AS n FROM users", "arcana"))[0]["n"] == 0


async def test_a_commit_whose_answer_is_lost_is_in_doubt(database: Database, proxy: Proxy) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:  # noqa: PT012  # the block is a transaction
        async with database.transaction():
            await make_user()
            proxy.mode = "black-hole"
    assert caught.value.text == IN_DOUBT


async def test_a_transaction_lost_before_its_commit_did_nothing(
    database: Database, proxy: Proxy
) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:  # noqa: PT012  # the block is a transaction
        async with database.transaction():
            await make_user()
            proxy.cut()
            await make_user("grace@example.com")
    assert caught.value.text != IN_DOUBT
    assert await User.all().count() == 0


# A server that says nothing


async def test_in_a_black_hole_the_first_commands_time_out_and_the_next_are_refused_at_once(
    database: Database, proxy: Proxy
) -> None:
    await fill_the_pool(database)
    proxy.mode = "black-hole"
    began = time.monotonic()
    first = await asyncio.gather(*(User.all().count() for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in first} == {DatabaseUnavailable}
    assert time.monotonic() - began < QUERY_SECONDS + MARGIN
    with pytest.raises(DatabaseUnavailable):
        await database.ping(MARGIN)
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await User.all().count()
    assert time.monotonic() - began < QUERY_SECONDS / 2


async def test_after_a_black_hole_it_serves_again_without_being_told(
    database: Database, proxy: Proxy
) -> None:
    await fill_the_pool(database)
    proxy.mode = "black-hole"
    with pytest.raises(DatabaseUnavailable):
        await User.all().count()
    with pytest.raises(DatabaseUnavailable):
        await database.ping(MARGIN)
    proxy.cut()
    proxy.mode = "pass"
    assert await until_it_serves(database) < MARGIN
    await database.ping()


async def test_one_slow_statement_does_not_close_the_door_for_all(
    database: Database, kind: str
) -> None:
    sleep = {"postgres": "SELECT pg_sleep(5)", "mysql": "SELECT SLEEP(5)"}[kind]
    with pytest.raises(DatabaseUnavailable):
        await database.client.execute_query(sleep)
    for _ in range(10):
        assert await User.all().count() == 0
        await asyncio.sleep(0.05)


# A server that dies


async def test_a_killed_server_is_served_again_when_it_is_back(
    database: Database, server: OwnServer
) -> None:
    await make_user()
    await fill_the_pool(database)
    server.kill()
    with pytest.raises(DatabaseUnavailable):
        await User.all().count()
    with pytest.raises((DatabaseUnavailable, TransactionManagementError)):
        async with database.transaction():
            await make_user("grace@example.com")
    with pytest.raises(DatabaseUnavailable):
        await database.ping(MARGIN)
    await server.start()
    assert await until_it_serves(database) < MARGIN
    assert await User.all().count() == 1


# The whole service, both doors


@pytest.mark.slow
async def test_when_the_database_is_killed_nothing_acknowledged_is_lost(kind: str) -> None:
    outcome = await database_killed(kind, away=1.5, load=1.5)
    assert outcome.ledger.lost == []
    assert outcome.ledger.strange == {}
    assert outcome.ledger.refused
    assert outcome.first_success is not None
    assert outcome.first_success < MARGIN
    assert outcome.same_workers


@pytest.mark.slow
async def test_a_black_hole_is_answered_503_in_time_and_the_process_stays_alive(kind: str) -> None:
    outcome = await database_swallowed(kind, away=4, load=1.5)
    assert outcome.ledger.lost == []
    assert outcome.ledger.strange == {}
    assert outcome.slowest_while_away < MARGIN
    assert outcome.first_success is not None
    assert outcome.live == {200}
    assert outcome.ready_503 is not None
    assert outcome.ready_again is not None
    assert outcome.same_workers


@pytest.mark.slow
async def test_when_a_worker_is_killed_nothing_acknowledged_is_lost(backend: str) -> None:
    outcome = await worker_killed(backend, load=1.5)
    assert outcome.ledger.lost == []
    assert outcome.ledger.strange == {}
    assert outcome.first_success is not None


# SQLite


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


@pytest_asyncio.fixture
async def file(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.connect()
    yield database
    await database.close()


async def test_fifty_writers_never_see_a_locked_database(file: Database) -> None:
    await asyncio.gather(*(make_user(f"{number}@example.com") for number in range(50)))
    assert await User.all().count() == 50


async def test_two_processes_write_into_one_file_and_neither_starves(
    file: Database, url: str
) -> None:
    neighbour = Database(url).engine(pool_size=1, command_timeout=10)
    await neighbour.create_connection(with_db=True)
    stop = asyncio.Event()

    async def hog() -> int:
        rounds = 0
        while not stop.is_set():
            async with neighbour._in_transaction() as transaction:
                await transaction.execute_query("UPDATE users SET name = 'x'")
                await asyncio.sleep(0.01)
            rounds += 1
        return rounds

    busy = asyncio.create_task(hog())
    began = time.monotonic()
    for number in range(25):
        await make_user(f"{number}@example.com")
    seconds = time.monotonic() - began
    stop.set()
    assert await busy
    await neighbour.close()
    assert seconds < MARGIN


async def test_readers_do_not_wait_for_the_writer(file: Database) -> None:
    read = asyncio.Event()

    async def write() -> None:
        async with file.transaction():
            await make_user()
            await asyncio.wait_for(read.wait(), MARGIN)

    task = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    assert await User.all().count() == 0
    read.set()
    await task
    assert await User.all().count() == 1


async def test_a_full_disk_is_unavailable_and_leaves_the_file_whole(file: Database) -> None:
    await make_user()
    _, rows = await file.client.execute_query("PRAGMA page_count")
    await file.client.execute_query(f"PRAGMA max_page_count = {rows[0][0]}")
    with pytest.raises(DatabaseUnavailable) as caught:  # noqa: PT012  # the block is a transaction
        async with file.transaction():
            for number in range(2000):
                await make_user(f"{number}@example.com")
    assert caught.value.reason == "SQLITE_FULL"
    assert caught.value.text != IN_DOUBT
    assert await User.all().count() == 1
    await file.client.execute_query("PRAGMA max_page_count = 1000000")
    await make_user("grace@example.com")
    _, rows = await file.client.execute_query("PRAGMA integrity_check")
    assert [tuple(row) for row in rows] == [("ok",)]


async def test_a_file_that_may_only_be_read_serves_reads_and_refuses_writes(file: Database) -> None:
    await make_user()
    await file.client.execute_query("PRAGMA query_only = ON")  # as a read-only disk answers
    with pytest.raises(DatabaseUnavailable) as caught:
        await make_user("grace@example.com")
    assert caught.value.reason == "SQLITE_READONLY"
    assert caught.value.text != IN_DOUBT
    assert await User.all().count() == 1
    _, rows = await file.client.execute_query("PRAGMA integrity_check")
    assert [tuple(row) for row in rows] == [("ok",)]
