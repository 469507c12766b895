"""The outbox and its relay on three databases: nothing lost, nothing told that was undone."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from service.app.relaying import Looker
from service.core import metrics
from service.core.clock import utc_now
from service.core.events import Event, Sink, SinkRefused, Told
from service.events import courier
from service.events.models import DeliveryState
from service.events.relay import NAME, Relay
from service.events.repository import KEPT, EventRepository
from service.infra.database import Database
from service.infra.leases import Leases
from service.infra.outbox import Outbox
from tests.support.databases import Backend, clear, fresh_database
from tests.support.fakes import FakeMeter
from tests.support.sinks import FixedSinks, NotingSink

TTL = timedelta(seconds=1.5)


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
class World:
    """A database with an outbox, and a relay for who asks."""

    database: Database
    events: EventRepository
    outbox: Outbox

    async def publish(self, *subjects: str, user: UUID | None = None) -> None:
        """Commit an event for each subject."""
        async with self.database.transaction():
            await self.outbox.publish(*(happened(s, user) for s in subjects))

    def relay(self, *sinks: NotingSink) -> Relay:
        return Relay(
            self.events,
            self.database.transaction,
            Leases(self.database, ttl=TTL),
            FixedSinks(cast("list[Sink]", list(sinks))),
        )

    @asynccontextmanager
    async def relaying(self, *sinks: NotingSink) -> AsyncIterator[Relay]:
        """A relay at work, once it knows the sinks: what comes then, they are told."""
        for sink in sinks:
            await self.events.progress(sink.name)
        relay = self.relay(*sinks)
        relay.start()
        try:
            yield relay
        finally:
            await relay.stop()

    async def states(self) -> dict[int, DeliveryState]:
        return {row.position: row.state for row in await self.events.parked()}


def happened(subject: str, user: UUID | None = None) -> Event:
    return Event("thing.happened", subject, {"is": subject}, user)


@pytest_asyncio.fixture
async def world(database: Database) -> World:
    return World(database, EventRepository(), Outbox())


async def undone(world: World) -> None:
    async with world.database.transaction():
        await world.outbox.publish(happened("never"))
        raise ZeroDivisionError


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def until_parked_is(world: World, states: dict[int, DeliveryState]) -> None:
    async with asyncio.timeout(20):
        while await world.states() != states:
            await asyncio.sleep(0.02)


async def test_what_was_committed_is_told_and_what_was_undone_is_not(world: World) -> None:
    sink = NotingSink()
    async with world.relaying(sink):
        await world.publish("one", "two")
        with pytest.raises(ZeroDivisionError):
            await undone(world)
        await world.publish("three")
        await until(lambda: "three" in sink.subjects())
    assert sink.subjects() == ["one", "two", "three"]
    assert sink.told[0].facts() == {"is": "one"}


@pytest.mark.one_database
async def test_an_event_without_a_transaction_is_a_bug(world: World) -> None:
    with pytest.raises(RuntimeError):
        await world.outbox.publish(happened("alone"))


async def test_positions_rise_without_a_gap_and_ids_are_not_used_twice(world: World) -> None:
    sink = NotingSink()
    async with world.relaying(sink):
        await asyncio.gather(*(world.publish(f"{n}") for n in range(30)))
        await until(lambda: len(sink.told) == 30)
    positions = [told.position for told in await world.events.after(0, 100)]
    assert positions == list(range(positions[0], positions[0] + 30))
    assert len({told.id for told in sink.told}) == 30


async def test_a_new_sink_begins_with_what_comes_next(world: World) -> None:
    first, second = NotingSink("first"), NotingSink("second")
    async with world.relaying(first):
        await world.publish("before")
        await until(lambda: bool(first.told))
    async with world.relaying(first, second):
        await world.publish("after")
        await until(lambda: bool(second.told))
    assert second.subjects() == ["after"]
    assert first.subjects() == ["before", "after"]


@pytest.mark.one_database
async def test_what_a_sink_does_not_want_it_is_not_told(world: World) -> None:
    sink = NotingSink(wanted=lambda told: told.subject != "no")
    async with world.relaying(sink):
        await world.publish("no", "yes", "no", "again")
        await until(lambda: len(sink.told) == 2)
    assert sink.subjects() == ["yes", "again"]


async def test_one_users_events_wait_for_the_refused_one_and_others_go_on(world: World) -> None:
    ada, bob = uuid4(), uuid4()
    refusing = True
    sink = NotingSink(
        refuse=lambda told: SinkRefused("not now") if told.subject == "a1" and refusing else None,
        schedule=(timedelta(seconds=0.05),) * 50,
    )
    async with world.relaying(sink):
        await world.publish("a1", "a2", user=ada)
        await world.publish("b1", user=bob)
        await until(lambda: sink.subjects() == ["b1"])
        await world.publish("a3", user=ada)
        await world.publish("b2", user=bob)
        await until(lambda: sink.subjects() == ["b1", "b2"])
        refusing = False
        await until(lambda: len(sink.subjects(str(ada))) == 3)
        await until_parked_is(world, {})
    assert sink.subjects(str(ada)) == ["a1", "a2", "a3"]


async def test_after_the_last_try_an_event_is_given_up_and_the_next_told(world: World) -> None:
    ada = uuid4()
    sink = NotingSink(refuse=lambda told: SinkRefused("never") if told.subject == "bad" else None)
    async with world.relaying(sink):
        await world.publish("bad", "good", user=ada)
        await until(lambda: sink.subjects() == ["good"])
        [bad] = [told for told in sink.tries if told.subject == "bad"][:1]
        await until_parked_is(world, {bad.position: DeliveryState.DEAD})
    assert [told.subject for told in sink.tries].count("bad") == 1 + len(sink.schedule)
    [row] = await world.events.parked("notes")
    assert (row.error, row.attempts) == ("never", 4)


async def test_a_final_refusal_is_not_tried_again_until_somebody_asks(world: World) -> None:
    final = True
    sink = NotingSink(refuse=lambda told: SinkRefused("gone", final=True) if final else None)
    async with world.relaying(sink):
        await world.publish("x")
        await until(lambda: bool(sink.tries))
        await until_parked_is(world, {sink.tries[0].position: DeliveryState.DEAD})
        final = False
        assert await world.events.retry("notes") == 1
        await until(lambda: sink.subjects() == ["x"])
        await until_parked_is(world, {})


@pytest.mark.one_database
async def test_a_sink_that_takes_nothing_rests_and_costs_one_event_its_tries(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "REST_MAX", 0.1)
    down = True
    sink = NotingSink(
        refuse=lambda told: SinkRefused("down") if down else None,
        schedule=(timedelta(seconds=0.05),) * 100,
        at_once=2,
    )
    users = [uuid4() for _ in range(300)]
    async with world.relaying(sink):
        for number, user in enumerate(users):
            await world.publish(f"{number}", user=user)
        await asyncio.sleep(1)
        [backlog] = await world.events.backlog()
        assert backlog.failures >= courier.STRIKES
        assert backlog.behind + backlog.waiting == 300
        assert backlog.oldest is not None
        assert backlog.error == "down"
        tried = {told.subject for told in sink.tries}
        assert len(tried) < 30
        down = False
        await until(lambda: len(sink.subjects()) == 300)
        await until_parked_is(world, {})
    [backlog] = await world.events.backlog()
    assert (backlog.behind, backlog.waiting, backlog.failures) == (0, 0, 0)


@pytest.mark.one_database
async def test_a_sink_that_names_a_time_is_left_alone_that_long(world: World) -> None:
    sink = NotingSink(
        refuse=lambda told: SinkRefused("busy", after=timedelta(hours=1)),
    )
    async with world.relaying(sink):
        await world.publish("x", "y")
        await until(lambda: bool(sink.tries))
        await asyncio.sleep(0.5)
        assert len(sink.tries) == 1
        await world.events.hurry("notes")
        progress = await world.events.progress("notes")
        assert progress.resting_until is None


async def test_a_sink_that_is_hurried_is_told_before_its_rest_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "IDLE", 0.1)
    busy = True
    sink = NotingSink(refuse=lambda t: SinkRefused("x", after=timedelta(hours=1)) if busy else None)
    async with world.relaying(sink):
        await world.publish("x", "y")
        await until_parked_is(world, {1: DeliveryState.WAITING, 2: DeliveryState.BEHIND})
        busy = False
        await world.events.hurry("notes")  # as another process does
        await until(lambda: sink.subjects() == ["x", "y"])


@pytest.mark.one_database
async def test_a_sink_that_breaks_is_one_that_refused(world: World) -> None:
    broken = True

    def refuse(told: Told) -> SinkRefused | None:
        if broken:
            raise KeyError("its own bug")
        return None

    sink = NotingSink(refuse=refuse, schedule=(timedelta(seconds=0.05),) * 50)
    async with world.relaying(sink):
        await world.publish("x")
        await until(lambda: bool(sink.tries))
        broken = False
        await until(lambda: sink.subjects() == ["x"])


async def test_of_two_relays_one_tells_and_the_other_takes_over(world: World) -> None:
    ours, theirs = NotingSink(), NotingSink()
    await world.events.progress("notes")
    first, second = world.relay(ours), world.relay(theirs)
    first.start()
    await asyncio.sleep(0.3)
    second.start()
    try:
        await world.publish("one")
        await until(lambda: bool(ours.told))
        assert not theirs.told
        await first.stop()
        await world.publish("two")
        await until(lambda: bool(theirs.told))
    finally:
        await first.stop()
        await second.stop()
    assert (ours.subjects(), theirs.subjects()) == (["one"], ["two"])


async def test_who_lost_the_lease_moves_nothing_on(world: World) -> None:
    sink = NotingSink()
    async with world.relaying(sink):
        await world.publish("one")
        await until(lambda: bool(sink.told))
        await asyncio.sleep(0.3)
        thief = Leases(world.database, ttl=timedelta(seconds=60))
        await world.database.client.execute_query("DELETE FROM leases")
        assert await thief.take(NAME)
        before = await world.events.progress("notes")
        await world.publish("two")
        await asyncio.sleep(1)
        after = await world.events.progress("notes")
        assert before.position == after.position
        await thief.give_back(NAME)
        await until(lambda: sink.subjects() == ["one", "two"])


async def test_a_relay_killed_at_any_moment_tells_all_in_order(world: World) -> None:
    users = [uuid4() for _ in range(7)]
    sink = NotingSink()
    await world.events.progress("notes")
    stop, wanted = asyncio.Event(), {str(user): list[str]() for user in users}

    async def change() -> None:
        for number in range(200):
            user = random.choice(users)
            await world.publish(f"{number}", user=user)
            wanted[str(user)].append(f"{number}")
        stop.set()

    changing = asyncio.create_task(change())
    while not stop.is_set():
        relay = world.relay(sink)
        relay.start()
        await asyncio.sleep(random.uniform(0.05, 0.4))
        assert relay._task is not None
        for task in (*(task for _, task in relay._couriers.values()), relay._task):
            task.cancel()
        await asyncio.gather(relay._task, return_exceptions=True)
        await world.database.client.execute_query("DELETE FROM leases")
    await changing
    async with world.relaying(sink):
        await until(lambda: len(sink.subjects()) == 200)
    for user in users:
        assert sink.subjects(str(user)) == wanted[str(user)]


async def test_old_events_go_once_all_were_told_and_what_is_parked_stays(world: World) -> None:
    sink = NotingSink(refuse=lambda t: SinkRefused("no", final=True) if t.subject == "b" else None)
    async with world.relaying(sink):
        await world.publish("a", "b", "c")
        await until(lambda: sink.subjects() == ["a", "c"])
        await until(lambda: len(sink.tries) == 3)
        await asyncio.sleep(0.2)
    await world.publish("not told yet")
    later = EventRepository(clock=lambda: utc_now() + KEPT + timedelta(minutes=1))
    assert not await later.clean()
    rest = await world.database.client.execute_query_dict("SELECT subject FROM events ORDER BY id")
    assert [row["subject"] for row in rest] == ["b", "not told yet"]
    top = await world.events.top()
    async with world.database.transaction():
        assert await world.events.place() == 1
    assert await world.events.top() == top + 1
    assert await world.events.oldest() == sink.tries[1].position


async def test_events_are_read_by_position_and_type(world: World) -> None:
    await world.publish("a")
    async with world.database.transaction():
        other = replace(happened("b"), type="other.thing")
        await world.outbox.publish(other)
    async with world.database.transaction():
        await world.events.place()
    assert [told.subject for told in await world.events.after(0, 10)] == ["a", "b"]
    found = await world.events.after(0, 10, types=["other.thing"])
    assert [told.subject for told in found] == ["b"]
    assert await world.events.after(found[0].position, 10) == []


async def test_the_backlog_counts_by_place_and_tells_the_oldest(world: World) -> None:
    ada, bob = uuid4(), uuid4()
    sink = NotingSink(refuse=lambda told: SinkRefused("no") if told.user_id == ada else None)
    sink.schedule = (timedelta(hours=1),)
    await world.events.progress("away")
    async with world.relaying(sink):
        await world.publish("a1", "a2", user=ada)
        await world.publish("b1", user=bob)
        await until(lambda: sink.subjects() == ["b1"])
        await until_parked_is(world, {1: DeliveryState.WAITING, 2: DeliveryState.BEHIND})
    await world.publish("b2", user=bob)  # nobody gives it a position any more
    away, notes = await world.events.backlog()
    assert (away.sink, away.behind, away.waiting, away.dead) == ("away", 4, 0, 0)
    assert (notes.sink, notes.behind, notes.waiting, notes.dead) == ("notes", 1, 2, 0)
    [first] = await world.events.after(0, 1)
    assert away.oldest == notes.oldest == first.at


async def test_the_backlog_of_who_was_told_all_has_no_oldest(world: World) -> None:
    sink = NotingSink()
    async with world.relaying(sink):
        await world.publish("x")
        await until(lambda: bool(sink.told))
        async with asyncio.timeout(20):
            while (found := await world.events.backlog())[0].behind:
                await asyncio.sleep(0.02)
    assert [(each.oldest, each.waiting) for each in found] == [(None, 0)]


async def test_what_is_placed_and_not_told_is_behind_with_its_instant(world: World) -> None:
    await world.events.progress("away")
    await world.publish("x", "y")
    async with world.database.transaction():
        await world.events.place()
    [backlog] = await world.events.backlog()
    [first] = await world.events.after(0, 1)
    assert (backlog.behind, backlog.oldest) == (2, first.at)


@pytest.mark.one_database
async def test_a_relay_says_that_it_goes_round(world: World) -> None:
    async with world.relaying(NotingSink()) as relay:
        await until(lambda: relay.is_relaying)
        await asyncio.sleep(0.5)
        assert relay.silent_for < 0.4
        relay._task.cancel() if relay._task else None
        with pytest.raises(asyncio.CancelledError):
            await relay.ended()
    assert not relay.is_relaying


@pytest.mark.one_database
async def test_deliveries_are_counted_by_kind_of_sink(world: World) -> None:
    meter = FakeMeter()
    sink = NotingSink("hook:1", refuse=lambda t: SinkRefused("no") if t.subject == "x" else None)
    with metrics.measured_by(meter):
        async with world.relaying(sink):
            await world.publish("x", "y")
            await until(lambda: sink.subjects() == ["y"])
    counts = {labels: n for (m, labels), n in meter.counts.items() if m is metrics.DELIVERIES}
    assert counts["hook", "taken"] == 1
    assert counts["hook", "given_up"] == 1
    assert counts["hook", "refused"] == len(sink.schedule)
    assert meter.counts[metrics.EVENTS_PUBLISHED, ("thing",)] == 2


@pytest.mark.one_database
async def test_a_lookers_last_word_is_that_it_shows_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = FakeMeter()
    with metrics.measured_by(meter):
        await world.events.progress("hook:1")
        await world.events.progress("hook:2")
        await world.publish("x", "y")
        relay = world.relay()
        relay.is_relaying = True  # it is not, so nobody tells them
        told = {"hook:1", "hook:2"}
        monkeypatch.setattr(Relay, "told", property(lambda _: told))
        looker = Looker(relay, world.events, utc_now)
        looker.start()
        await until(lambda: (metrics.EVENTS_BEHIND, ("hook",)) in meter.shown)
        assert meter.shown[metrics.EVENTS_BEHIND, ("hook",)] == 4
        assert meter.shown[metrics.EVENT_LAG, ("hook",)] > 0
        assert meter.shown[metrics.SINKS_OFF, ("hook",)] == 0
        assert meter.shown[metrics.RELAYING, ()] == 1
        told.remove("hook:2")
        looker._show(await world.events.backlog())
        assert meter.shown[metrics.EVENTS_BEHIND, ("hook",)] == 2
        assert meter.shown[metrics.SINKS_OFF, ("hook",)] == 1
        await looker.stop()
    assert meter.shown[metrics.EVENTS_BEHIND, ("hook",)] == 0
    assert meter.shown[metrics.RELAYING, ()] == 0


@pytest.mark.one_database
async def test_what_was_undone_is_not_counted_as_published(world: World) -> None:
    meter = FakeMeter()
    with metrics.measured_by(meter), pytest.raises(ZeroDivisionError):
        await undone(world)
    assert not meter.counts
