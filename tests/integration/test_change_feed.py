"""The change feed on three databases: nothing is skipped, nothing told that was undone."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from service.core.clock import utc_now
from service.infra.changes import Change, ChangeFeed
from service.infra.changes import feed as module
from service.infra.changes.feed import BOUND, KEEP
from service.infra.changes.rows import insert, newest
from service.infra.database import Database
from tests.support.caches import OwnRedis, own_redis
from tests.support.databases import Backend, clear, fresh_database
from tests.support.proxy import proxied


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
class Follower:
    """A feed, and what it told."""

    feed: ChangeFeed
    told: list[Change]
    losses: int = 0

    @classmethod
    def of(cls, feed: ChangeFeed) -> "Follower":
        follower = cls(feed, [])
        feed.subscribe(follower.told.append, follower._lose)
        return follower

    def _lose(self) -> None:
        self.losses += 1

    async def hears_of(self, user: UUID) -> None:
        """Wait for it; a feed that is fresh a second from now, or later, must have told."""
        began = time.monotonic()
        async with asyncio.timeout(10):
            while True:
                late, fresh = time.monotonic() - began > BOUND, self.feed.is_fresh
                if user in {change.user_id for change in self.told}:
                    return
                assert not (late and fresh)
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def follower(database: Database) -> AsyncIterator[Follower]:
    """A worker that reads the feed; nobody sends it messages."""
    follower = Follower.of(ChangeFeed(database))
    await follower.feed.start()
    yield follower
    await follower.feed.stop()


async def test_a_committed_change_reaches_another_worker_within_a_second(
    database: Database, follower: Follower
) -> None:
    writer = ChangeFeed(database)
    for _ in range(5):
        user = uuid4()
        async with database.transaction():
            await writer.append(user, "user")
        await follower.hears_of(user)
    assert len(follower.told) == 5


async def test_the_writer_itself_knows_before_the_block_is_left(database: Database) -> None:
    writer, user = Follower.of(ChangeFeed(database)), uuid4()
    async with database.transaction():
        await writer.feed.append(user, "user")
        assert not writer.told
    assert [change.user_id for change in writer.told] == [user]


async def test_a_change_that_was_rolled_back_is_told_to_nobody(
    database: Database, follower: Follower
) -> None:
    writer, undone, done = Follower.of(ChangeFeed(database)), uuid4(), uuid4()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # the transaction is one statement
        async with database.transaction():
            await writer.feed.append(undone, "user")
            raise ZeroDivisionError
    async with database.transaction():
        await writer.feed.append(done, "user")
    await follower.hears_of(done)
    assert {change.user_id for change in [*writer.told, *follower.told]} == {done}


async def test_a_change_without_a_transaction_is_refused(follower: Follower) -> None:
    with pytest.raises(RuntimeError):
        await follower.feed.append(uuid4(), "user")


async def test_a_transaction_that_commits_after_a_later_one_is_not_skipped(
    database: Database, follower: Follower, backend: Backend
) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has one writer: its changes commit in the order of their ids")
    writer, early, late = ChangeFeed(database), uuid4(), uuid4()
    written, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction():
            await writer.append(late, "user")
            written.set()
            await go.wait()

    task = asyncio.create_task(slow())
    await written.wait()
    async with database.transaction():
        await writer.append(early, "user")
    await follower.hears_of(early)
    await asyncio.sleep(0.5)
    assert late not in {change.user_id for change in follower.told}
    go.set()
    await task
    await follower.hears_of(late)


async def test_changes_of_many_users_in_one_transaction_all_arrive(
    database: Database, follower: Follower
) -> None:
    writer, users = Follower.of(ChangeFeed(database)), [uuid4() for _ in range(1500)]
    async with database.transaction():
        await writer.feed.append_all(users, "roles")
    async with asyncio.timeout(5):
        while {change.user_id for change in follower.told} != set(users):
            await asyncio.sleep(0.01)
    assert {change.user_id for change in writer.told} == set(users)


async def test_a_worker_that_starts_knows_the_changes_before_it(database: Database) -> None:
    writer, user = ChangeFeed(database), uuid4()
    async with database.transaction():
        await writer.append(user, "user")
    mark = writer.mark(user)
    feed = ChangeFeed(database)
    await feed.start()
    try:
        assert feed.trusts(user, mark)
        assert not feed.trusts(user, mark - 1)
    finally:
        await feed.stop()


async def test_changes_older_than_an_hour_go_but_never_the_newest(
    database: Database, follower: Follower
) -> None:
    old = utc_now() - KEEP - timedelta(minutes=1)
    for _ in range(3):
        await insert(database.client, [uuid4()], "user", old)
    top = await newest(database.client)
    await follower.feed.poll()
    assert not await follower.feed.clean()
    rows = await database.client.execute_query_dict("SELECT id FROM changes")
    assert [row["id"] for row in rows] == [top]
    await follower.feed.poll()
    assert follower.losses == 0


async def test_another_history_makes_every_cached_value_forgotten(
    database: Database, follower: Follower
) -> None:
    """A backup was restored: what the ids meant before is void."""
    await insert(database.client, [uuid4()], "user", utc_now())
    await follower.feed.poll()
    await database.client.execute_script("DELETE FROM changes")
    await follower.feed.poll()
    assert follower.losses == 1
    assert not follower.feed.is_fresh
    await follower.feed.poll()
    assert follower.feed.is_fresh


async def test_a_worker_that_can_not_read_the_feed_says_so_and_catches_up(
    database: Database, url: str, backend: Backend
) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has no network to lose")
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with proxied(parts.hostname, parts.port) as proxy:
        through = url.replace(f":{parts.port}", f":{proxy.port}")
        follower = Follower.of(ChangeFeed(Database(through)))
        await follower.feed.start()
        try:
            assert follower.feed.is_fresh
            proxy.mode = "black-hole"
            async with asyncio.timeout(2 * BOUND):
                while follower.feed.is_fresh:
                    await asyncio.sleep(0.01)
            writer, user = ChangeFeed(database), uuid4()
            async with database.transaction():
                await writer.append(user, "user")
            await asyncio.sleep(0.5)
            assert not follower.told
            assert follower.feed.lag > BOUND
            proxy.mode = "pass"
            proxy.cut()
            await follower.hears_of(user)
            await _until_fresh(follower.feed)
        finally:
            proxy.mode = "pass"
            await follower.feed.stop()


@pytest.mark.backend("redis")
async def test_a_message_needs_no_poll_and_is_told_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTERVAL", 60.0)
    async with own_redis() as server:
        writer, reader = (ChangeFeed(database, redis_url=server.url, channel="c") for _ in range(2))
        follower = Follower.of(reader)
        for feed in (writer, reader):
            await feed.start()
        try:
            await _until_listening(reader)
            users = [uuid4() for _ in range(20)]
            for user in users:
                async with database.transaction():
                    await writer.append(user, "user")
                await follower.hears_of(user)
            await reader.poll()
            assert [change.user_id for change in follower.told] == users
        finally:
            for feed in (writer, reader):
                await feed.stop()


@pytest.mark.backend("redis")
async def test_nonsense_on_the_channel_is_passed_over(database: Database) -> None:
    async with own_redis() as server:
        follower = Follower.of(ChangeFeed(database, redis_url=server.url, channel="c"))
        await follower.feed.start()
        try:
            await _until_listening(follower.feed)
            for nonsense in ("", "x", "1 2 3", "\\xff", "9" * 400):
                await _publish(server, nonsense)
            user = uuid4()
            await _publish(server, f"7 {user} user")
            await follower.hears_of(user)
            assert len(follower.told) == 1
        finally:
            await follower.feed.stop()


async def _until_fresh(feed: ChangeFeed) -> None:
    async with asyncio.timeout(5):
        while not feed.is_fresh:
            await asyncio.sleep(0.01)


async def _until_listening(feed: ChangeFeed) -> None:
    async with asyncio.timeout(5):
        while not feed.is_listening:
            await asyncio.sleep(0.01)


async def _publish(server: OwnRedis, text: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    data = text.encode()
    writer.write(b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$%d\r\n%s\r\n" % (len(data), data))
    await reader.readline()
    writer.close()
    await writer.wait_closed()
