"""Who watches reads from memory what all read, and the table only when it is behind."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import metrics
from service.core.clock import utc_now
from service.core.errors import Invalid, Unavailable
from service.core.events import Told
from service.watches.errors import ResumeExpired
from service.watches.schemas import TYPES, WatchUsers
from service.watches.tail import PAGE, Tail
from service.watches.tokens import Place, ResumeTokens
from tests.support.fakes import FakeMeter

ID = UUID("0199c0de-0000-7000-8000-000000000001")


class Table:
    """An outbox of sessions that start; counts who asks."""

    def __init__(self, count: int = 0) -> None:
        self.rows = [_started(position) for position in range(1, count + 1)]
        self.asked = 0
        self.away = False

    def add(self, count: int = 1) -> None:
        self.rows += [_started(len(self.rows) + number) for number in range(1, count + 1)]

    async def top(self) -> int:
        self._count()
        return self.rows[-1].position if self.rows else 0

    async def after(self, position: int, size: int) -> Sequence[Told]:
        self._count()
        return [row for row in self.rows if row.position > position][:size]

    def _count(self) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable


def _started(position: int) -> Told:
    data = orjson.dumps({"user_id": str(ID), "session_id": str(uuid4())}).decode()
    return Told(position, uuid4(), "session.started", f"users/{ID}", ID, utc_now(), data)


async def read(tail: Tail, position: int, until: int) -> list[int]:
    """The positions that a watcher sees up to ``until``."""
    seen: list[int] = []
    async with asyncio.timeout(5):
        while position < until:
            stretch = await tail.after(position)
            seen += [event.position for event in stretch.events]
            position = stretch.position
            if stretch.is_last and position < until:
                await tail.news(position, asyncio.get_running_loop().time() + 5)
    return seen


async def test_many_watchers_cost_one_query() -> None:
    table = Table(3)
    tail = Tail(table, every=0.01)
    async with tail.followed(), tail.followed():
        await asyncio.sleep(0.05)
        watchers = [asyncio.create_task(read(tail, 3, 53)) for _ in range(50)]
        table.add(50)
        before = table.asked
        assert await asyncio.gather(*watchers) == [list(range(4, 54))] * 50
        assert table.asked - before < 10


async def test_nobody_looks_while_nobody_watches() -> None:
    table = Table(3)
    tail = Tail(table, every=0.01)
    await asyncio.sleep(0.05)
    assert table.asked == 0
    async with tail.followed():
        await asyncio.sleep(0.05)
    before = table.asked
    await asyncio.sleep(0.05)
    assert table.asked == before > 0


async def test_who_is_behind_what_is_held_reads_the_table_until_it_is_not() -> None:
    table = Table(1)
    tail = Tail(table, every=0.01, kept=10)
    async with tail.followed():
        await asyncio.sleep(0.03)
        table.add(3 * PAGE)
        assert await read(tail, 1, 3 * PAGE + 1) == list(range(2, 3 * PAGE + 2))
        await asyncio.sleep(0.05)
        assert len(tail._held) == 10
        assert await read(tail, 0, 3 * PAGE + 1) == list(range(1, 3 * PAGE + 2))
        table.add()
        assert await read(tail, 3 * PAGE, 3 * PAGE + 2) == [3 * PAGE + 1, 3 * PAGE + 2]


async def test_nobody_holds_more_than_a_page() -> None:
    table = Table(1)
    tail = Tail(table, every=0.01)
    async with tail.followed():
        await asyncio.sleep(0.03)
        table.add(3 * PAGE)
        await asyncio.sleep(0.1)
        stretch = await tail.after(1)
        assert (len(stretch.events), stretch.is_last) == (PAGE, False)


async def test_what_lies_between_the_first_look_and_the_watchers_own_is_told() -> None:
    table = Table(2)
    tail = Tail(table, every=0.01)
    async with tail.followed():
        await asyncio.sleep(0.03)
        assert await read(tail, 0, 2) == [1, 2]


async def test_a_gap_is_refused() -> None:
    table = Table(9)
    del table.rows[4]
    tail = Tail(table, every=10)
    async with tail.followed():
        with pytest.raises(ResumeExpired):
            await tail.after(0)
        assert (await tail.after(5)).position == 9


async def test_a_database_that_is_away_for_a_while_ends_no_look() -> None:
    table, meter = Table(1), FakeMeter()
    tail = Tail(table, every=0.01)
    watchers, blind = (metrics.WATCHERS, ()), (metrics.WATCH_BLIND, ())
    with metrics.measured_by(meter):
        async with tail.followed():
            await asyncio.sleep(0.03)
            assert (meter.shown[watchers], meter.shown[blind]) == (1, 0)
            table.away = True
            await asyncio.sleep(0.05)
            assert meter.shown[blind] == 1
            table.away = False
            table.add()
            assert await read(tail, 1, 2) == [2]
            assert meter.shown[blind] == 0
        assert meter.shown[watchers] == 0


async def test_a_worker_that_leaves_tells_all_at_once() -> None:
    tail = Tail(Table(1), every=0.01)
    async with tail.followed():
        waiting = asyncio.create_task(tail.news(1, asyncio.get_running_loop().time() + 60))
        await asyncio.sleep(0.05)
        tail.let_go()
        async with asyncio.timeout(1):
            await waiting
        with pytest.raises(Unavailable):
            await tail.after(1)
    with pytest.raises(Unavailable):
        async with tail.followed():
            pass


@given(st.integers(0, 2**63), st.uuids())
def test_a_place_comes_out_of_its_token(position: int, after: UUID) -> None:
    tokens = ResumeTokens(b"key")
    for place in (
        Place(position),
        Place(position, in_snapshot=True),
        Place(position, in_snapshot=True, after=after),
    ):
        assert tokens.open(tokens.seal(place)) == place
        assert ResumeTokens(b"new", b"key").open(tokens.seal(place)) == place


@given(st.text(max_size=60))
def test_no_token_of_ones_own_opens(text: str) -> None:
    with pytest.raises(Invalid):
        ResumeTokens(b"key").open(text)


def test_types_are_named_one_by_one_or_by_group() -> None:
    assert WatchUsers().wanted == frozenset(TYPES)
    assert WatchUsers(types=["session.*"]).wanted == {"session.started", "session.ended"}
    asked = ["user.deleted", "session.ended"]
    assert WatchUsers(types=asked).wanted == frozenset(asked)


async def test_the_newest_events_gone_is_a_gap_too() -> None:
    table = Table(9)
    tail = Tail(table, every=0.01)
    async with tail.followed():
        await asyncio.sleep(0.03)
        del table.rows[4:]
        assert (await tail.after(2)).position == 4
        with pytest.raises(ResumeExpired):
            await tail.after(4)
