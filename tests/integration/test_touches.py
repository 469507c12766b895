"""When rows were last used is written behind the requests, and nothing of it is lost at the end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

import service.infra.touches as module
from service.auth.models import Session
from service.clients.models import ClientSecret
from service.core.ids import new_id
from service.infra.database import Database, DatabaseUnavailable
from service.infra.touches import BATCH, EVERY, Touches
from service.users.models import User
from tests.support.clock import MovingClock
from tests.support.databases import clear, fresh_database


@pytest.fixture(scope="module")
def url(backend: Any) -> Iterator[str]:
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
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def touches(database: Database, clock: MovingClock) -> Touches:
    return Touches(database, clock=clock)


async def make_sessions(count: int) -> list[UUID]:
    user = await User.create(email=f"{new_id()}@example.com", name="Ada", search="ada")
    until = datetime(2030, 1, 1, tzinfo=UTC)
    rows = [Session(user=user, salt=b"salt", expires_at=until) for _ in range(count)]
    await Session.bulk_create(rows)
    return [row.id for row in rows]


async def used(session_id: UUID) -> datetime | None:
    return (await Session.get(id=session_id)).last_used_at


async def test_a_note_is_written_when_it_is_flushed(touches: Touches, clock: MovingClock) -> None:
    one, other = await make_sessions(2)
    touches.note("sessions", one)
    assert await used(one) is None
    await touches.flush()
    assert (await used(one), await used(other)) == (clock(), None)
    assert touches.waiting == 0


async def test_a_row_used_again_and_again_is_written_once_in_a_while(
    touches: Touches, clock: MovingClock
) -> None:
    (one,) = await make_sessions(1)
    first = clock()
    for _ in range(100):
        touches.note("sessions", one)
        clock.forward(seconds=EVERY.total_seconds() / 101)
        await touches.flush()
    assert await used(one) == first
    clock.forward(seconds=1)
    touches.note("sessions", one)
    await touches.flush()
    assert await used(one) == clock()


async def test_rows_of_several_tables_and_more_than_one_batch_are_all_written(
    touches: Touches, clock: MovingClock
) -> None:
    ids = await make_sessions(2 * BATCH + 7)
    user = await User.first()
    secret = await ClientSecret.create(user=user, hint="hint", hash="hash")
    for number, each in enumerate(ids):
        touches.note("sessions", each)
        if number == BATCH // 2:
            touches.note("client_secrets", secret.id)
    touches.note("sessions", new_id())
    await touches.flush()
    assert await Session.filter(last_used_at=clock()).count() == len(ids)
    await secret.refresh_from_db()
    assert secret.last_used_at == clock()


async def test_each_row_has_its_own_instant_within_seconds(
    touches: Touches, clock: MovingClock
) -> None:
    early, late = await make_sessions(2)
    touches.note("sessions", early)
    noted = clock()
    clock.forward(seconds=30)
    touches.note("sessions", late)
    await touches.flush()
    assert (await used(early), await used(late)) == (noted, noted + timedelta(seconds=30))


async def test_a_later_use_that_another_worker_wrote_stays(
    touches: Touches, clock: MovingClock
) -> None:
    (one,) = await make_sessions(1)
    later = clock() + timedelta(seconds=10)
    await Session.filter(id=one).update(last_used_at=later)
    touches.note("sessions", one)
    await touches.flush()
    assert await used(one) == later


async def test_a_row_that_somebody_holds_is_passed_over_and_nobody_waits(
    url: str, backend: str, touches: Touches, clock: MovingClock
) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has one writer, which holds every row")
    held, free = await make_sessions(2)
    async with _neighbour(url) as neighbour, neighbour._in_transaction() as transaction:
        await transaction.execute_query(f"UPDATE sessions SET counter = 1 WHERE id = '{held}'")
        touches.note("sessions", held)
        touches.note("sessions", free)
        async with asyncio.timeout(5):
            await touches.flush()
    assert (await used(held), await used(free)) == (None, clock())


@asynccontextmanager
async def _neighbour(url: str) -> AsyncIterator[Any]:
    """Another process's connection."""
    client = Database(url).engine(pool_size=1, command_timeout=10)
    await client.create_connection(with_db=True)
    try:
        yield client
    finally:
        await client.close()


async def test_what_cannot_be_written_waits_and_is_written_later(
    touches: Touches, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = await make_sessions(1)
    touches.note("sessions", one)

    async def away(*_: Any) -> None:
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(touches, "_write", away)
        with pytest.raises(DatabaseUnavailable):
            await touches.flush()
    assert touches.waiting == 1
    await touches.flush()
    assert await used(one) == clock()


async def test_nothing_is_lost_at_a_stop(touches: Touches, clock: MovingClock) -> None:
    (one,) = await make_sessions(1)
    touches.start()
    touches.note("sessions", one)
    await touches.stop()
    assert await used(one) == clock()
    await touches.stop()


async def test_it_writes_by_itself_and_goes_on_after_a_failure(
    touches: Touches,
    clock: MovingClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "FLUSH_EVERY", 0.01)
    (one,) = await make_sessions(1)
    write, failures = touches._write, iter([DatabaseUnavailable("away")] * 3)

    async def stumbling(*given: Any) -> None:
        for failure in failures:
            raise failure
        await write(*given)

    monkeypatch.setattr(touches, "_write", stumbling)
    touches.note("sessions", one)
    touches.start()
    async with asyncio.timeout(10):
        while await used(one) is None:
            await asyncio.sleep(0.01)
    await touches.stop()
    assert await used(one) == clock()
    told = [record.message for record in caplog.records if record.name == "arcana.touches"]
    assert told == ["last uses can't be written (DatabaseUnavailable)"]


async def test_what_waits_is_bounded(database: Database, clock: MovingClock) -> None:
    touches = Touches(database, clock=clock, entries_max=10)
    ids = await make_sessions(15)
    for each in ids:
        touches.note("sessions", each)
    assert touches.waiting == 10
    await touches.flush()
    assert [await used(each) for each in ids] == [None] * 5 + [clock()] * 10
