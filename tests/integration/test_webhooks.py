"""Webhooks from the outbox to a real receiver, on three databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from standardwebhooks import Webhook as Verifier

from config.settings import Settings
from service.app import Outside, Wiring
from service.core.access import SYSTEM
from service.core.clock import Clock, utc_now
from service.core.destinations import Destinations
from service.core.events import Event, SinkRefused, Told
from service.core.ids import new_id
from service.events import courier
from service.events.relay import Relay
from service.infra.cache import MemoryCache
from service.infra.database import Database
from service.infra.hooks import HttpHooks
from service.infra.leases import Leases
from service.infra.limits import NoLimits
from service.webhooks.schemas import NewWebhookView, WebhookView
from service.webhooks.sinks import PATIENCE, WebhookSink
from tests.support.clock import MovingClock
from tests.support.databases import Backend, clear, fresh_database
from tests.support.fakes import PlainHasher
from tests.support.receivers import OK, Received, Receiver, receiving, status

OLD, NEW = "the old secret, of 32 bytes at least", "the new secret, of 32 bytes at least"
QUICK = (timedelta(seconds=0.05),) * 60
_open: list[HttpHooks] = []
"""Senders with connections that a test may have left."""


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
    while _open:
        await _open.pop().close()
    await database.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "IDLE", 0.1)
    monkeypatch.setattr(courier, "REST_MAX", 0.1)
    monkeypatch.setattr(WebhookSink, "schedule", QUICK)


@dataclass
class World:
    """A process that relays, over a database that others may share."""

    database: Database
    wiring: Wiring

    @classmethod
    def of(cls, database: Database, clock: Clock = utc_now, **settings: Any) -> "World":
        chosen = Settings(**{"jwt_secret": OLD, **settings})
        hooks = HttpHooks(Destinations.besides([ip_network("127.0.0.0/8")]), clock=clock)
        _open.append(hooks)
        outside = Outside(database, MemoryCache(), PlainHasher(), NoLimits(), clock, hooks=hooks)
        return cls(database, Wiring(chosen, outside))

    async def hook(self, receiver: Receiver, **more: Any) -> NewWebhookView:
        return await self.wiring.webhooks.create(SYSTEM, {"url": receiver.url, **more})

    async def view(self, hook: WebhookView) -> WebhookView:
        return await self.wiring.webhooks.get(SYSTEM, hook.id)

    async def change(self, hook: WebhookView, **changes: Any) -> WebhookView:
        return await self.wiring.webhooks.update(SYSTEM, hook.id, changes)

    async def publish(self, *subjects: str, user: UUID | None = None, type_: str = "") -> None:
        """Commit an event for each subject."""
        for subject in subjects:
            event = Event(type_ or "thing.happened", subject, {"is": subject}, user)
            async with self.database.transaction():
                await self.wiring.outbox.publish(event)

    async def sink(self) -> WebhookSink:
        """The one sink that there is now."""
        (sink,) = await self.wiring.listeners.webhook_sinks.all()
        assert isinstance(sink, WebhookSink)
        return sink

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[Relay]:
        relay = Relay(
            self.wiring.events,
            self.database.transaction,
            Leases(self.database, ttl=timedelta(seconds=3)),
            self.wiring.listeners.webhook_sinks,
        )
        relay.start()
        try:
            yield relay
        finally:
            await relay.stop()

    async def until_status(self, hook: WebhookView, wanted: str) -> WebhookView:
        async with asyncio.timeout(15):
            while (view := await self.view(hook)).status.value != wanted:
                await asyncio.sleep(0.05)
        return view

    async def until_settled(self, hook: WebhookView) -> None:
        async with asyncio.timeout(15):
            while (await self.deliveries(hook)) or (await self.behind()):
                await asyncio.sleep(0.05)

    async def deliveries(self, hook: WebhookView) -> list[Any]:
        return (await self.wiring.webhooks.deliveries(SYSTEM, hook.id, {})).data

    async def behind(self) -> int:
        return sum(each.behind for each in await self.wiring.events.backlog())

    async def replay(self, hook: WebhookView, **wanted: Any) -> int:
        return (await self.wiring.webhooks.replay(SYSTEM, hook.id, wanted)).replayed


@pytest.fixture
def world(database: Database) -> World:
    return World.of(database)


def subjects(receiver: Receiver) -> list[str]:
    return [each.event["subject"] for each in receiver.received]


def happened(at: datetime | None = None) -> Told:
    return Told(1, new_id(), "thing.happened", "x", None, at or utc_now(), '{"is": "x"}')


async def test_a_committed_event_reaches_the_receiver_signed(world: World) -> None:
    ada = uuid4()
    async with receiving() as receiver, world.relaying():
        hook = await world.hook(receiver)
        await world.publish("users/1", user=ada, type_="user.created")
        await receiver.until(1)
        await world.until_settled(hook)
    (got,) = receiver.received
    event = Verifier(hook.secret).verify(got.body, got.headers)
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.headers["webhook-id"] == event["id"]
    assert event["timestamp"] == event["time"]
    known: dict[str, Any] = {
        "specversion": "1.0",
        "source": "arcana",
        "type": "arcana.user.created",
    }
    known |= {"subject": "users/1", "partitionkey": str(ada), "data": {"is": "users/1"}}
    assert event.items() >= known.items()


async def test_only_what_it_asked_for_and_what_came_after_it_was_made(world: World) -> None:
    async with receiving() as receiver:
        async with world.relaying():
            await world.publish("before", type_="user.created")
            async with asyncio.timeout(10):
                while not await world.wiring.events.top():
                    await asyncio.sleep(0.02)
        hook = await world.hook(receiver, types=["user.*", "order.paid"])
        await world.publish("1", type_="user.created")
        await world.publish("2", type_="role.created")
        await world.publish("3", type_="order.paid")
        await world.publish("4", type_="order.paid_back")
        await world.publish("5", type_="user.profile.changed")
        async with world.relaying():
            await receiver.until(3)
            await world.until_settled(hook)
    assert sorted(subjects(receiver)) == ["1", "3", "5"]


@pytest.mark.one_database
async def test_what_is_refused_is_sent_again_under_the_same_id_in_order(world: World) -> None:
    ada = uuid4()
    async with receiving(status(500), status(301, "location: /"), OK) as receiver, world.relaying():
        hook = await world.hook(receiver)
        await world.publish("a", "b", user=ada)
        await receiver.until(4)
        await world.until_settled(hook)
    assert subjects(receiver) == ["a", "a", "a", "b"]
    assert len(set(receiver.ids)) == 2
    assert (await world.view(hook)).failing_since is None


async def test_what_is_waiting_is_listed_with_why(world: World) -> None:
    async with receiving(status(500)) as receiver:
        async with world.relaying():
            hook = await world.hook(receiver)
            await world.publish("a", "b", user=uuid4(), type_="user.updated")
            await receiver.until(2)
            async with asyncio.timeout(10):
                while len(await world.deliveries(hook)) < 2:
                    await asyncio.sleep(0.02)
        first, second = await world.deliveries(hook)
        assert (first.state, first.error, first.subject) == ("waiting", "status 500", "a")
        assert (second.state, second.due_at, second.attempts) == ("behind", None, 0)
        assert first.type == "arcana.user.updated"
        page = await world.wiring.webhooks.deliveries(SYSTEM, hook.id, {"size": "1"})
        assert page.next_after == first.position
        rest = {"after": page.next_after}
        page = await world.wiring.webhooks.deliveries(SYSTEM, hook.id, rest)
        assert ([each.position for each in page.data], page.next_after) == ([second.position], None)


@pytest.mark.one_database
async def test_who_is_gone_is_told_nothing_more_and_goes_on_when_enabled(world: World) -> None:
    async with receiving(status(410)) as receiver, world.relaying():
        hook = await world.hook(receiver)
        await world.publish("a", "b", "c")
        view = await world.until_status(hook, "failing")
        assert (view.error, view.version) == ("status 410: gone", 3)
        await asyncio.sleep(1.5)
        tries = len(receiver.received)
        await world.publish("d")
        await asyncio.sleep(1.5)
        assert len(receiver.received) == tries
        receiver.answers = [OK]
        receiver.received.clear()
        view = await world.change(hook, status="enabled")
        assert (view.error, view.failing_since) == (None, None)
        await receiver.until(4)
        await world.until_settled(hook)
    assert list(dict.fromkeys(subjects(receiver))) == ["a", "b", "c", "d"]


async def test_a_disabled_webhook_goes_on_where_it_was(world: World) -> None:
    async with receiving() as receiver, world.relaying():
        hook = await world.hook(receiver)
        await world.change(hook, status="disabled")
        await asyncio.sleep(1.3)  # the relay looks once a second
        await world.publish("a", "b")
        await asyncio.sleep(1)
        assert receiver.received == []
        await world.change(hook, status="enabled")
        await receiver.until(2)
    assert subjects(receiver) == ["a", "b"]


async def test_days_without_success_end_in_failing_and_one_success_begins_anew(
    database: Database,
) -> None:
    clock = MovingClock()
    world = World.of(database, clock)
    async with receiving(status(500)) as receiver:
        hook = await world.hook(receiver)

        async def told(**later: float) -> WebhookView:
            clock.forward(**later)
            sink = await world.sink()
            for _ in range(5):
                if receiver.answers == [OK]:
                    await sink.take(happened())
                else:
                    with pytest.raises(SinkRefused):
                        await sink.take(happened())
            return await world.view(hook)

        began = clock()
        assert (await told()).failing_since == began
        view = await told(days=4.9)
        assert (view.status.value, view.failing_since, view.version) == ("enabled", began, 2)
        receiver.answers = [OK]
        assert (await told(days=1)).failing_since is None
        receiver.answers = [status(500)]
        again = clock.now + timedelta(days=1)
        assert (await told(days=1)).failing_since == again
        clock.forward(days=PATIENCE.days)
        sink = await world.sink()
        tries = len(receiver.received)
        for _ in range(3):  # the relay may ask again before it has looked
            with pytest.raises(SinkRefused):
                await sink.take(happened())
        assert len(receiver.received) == tries + 1
        view = await world.view(hook)
        assert (view.status.value, view.error) == ("failing", "status 500")
        assert (view.failing_since, view.version) == (again, 5)
        assert await world.wiring.listeners.webhook_sinks.all() == []


@pytest.mark.parametrize(
    ("code", "header", "after"),
    [
        (503, "120", timedelta(minutes=2)),
        (429, "7200", timedelta(hours=1)),
        (429, "soon", None),
        (500, "120", None),
    ],
)
@pytest.mark.one_database
async def test_who_is_busy_is_left_alone_as_long_as_it_says(
    world: World, code: int, header: str, after: timedelta | None
) -> None:
    async with receiving(status(code, f"retry-after: {header}")) as receiver:
        await world.hook(receiver)
        with pytest.raises(SinkRefused) as refused:
            await (await world.sink()).take(happened())
    assert (refused.value.after, refused.value.final) == (after, False)
    assert refused.value.reason == f"status {code}"


# Secrets


async def one(world: World, receiver: Receiver) -> Received:
    await (await world.sink()).take(happened())
    return receiver.received[-1]


@pytest.mark.one_database
async def test_for_a_while_both_secrets_sign(database: Database) -> None:
    clock = MovingClock()
    world = World.of(database, clock)
    async with receiving() as receiver:
        old = await world.hook(receiver)
        new = await world.wiring.webhooks.rotate(SYSTEM, old.id, {"overlap_hours": 2})
        clock.forward(hours=1)
        got = await one(world, receiver)
        assert got.is_signed_by(old.secret)
        assert got.is_signed_by(new.secret)
        clock.forward(hours=1)
        got = await one(world, receiver)
        assert not got.is_signed_by(old.secret)
        assert got.is_signed_by(new.secret)
        last = await world.wiring.webhooks.rotate(SYSTEM, old.id, {"overlap_hours": 0})
        got = await one(world, receiver)
        assert got.headers["webhook-signature"].count("v1,") == 1
        assert got.is_signed_by(last.secret)


@pytest.mark.one_database
async def test_secrets_outlive_a_change_of_the_configured_one(database: Database) -> None:
    async with receiving() as receiver:
        hook = await World.of(database).hook(receiver)
        turned = await World.of(database).wiring.webhooks.rotate(SYSTEM, hook.id, {})
        await World.of(database, jwt_secret=NEW, jwt_secret_previous=OLD).sink()
        got = await one(World.of(database, jwt_secret=NEW), receiver)
        assert got.is_signed_by(hook.secret)
        assert got.is_signed_by(turned.secret)


@pytest.mark.one_database
async def test_a_secret_that_nothing_opens_is_said_and_mended_by_rotating(
    database: Database,
) -> None:
    async with receiving() as receiver:
        hook = await World.of(database).hook(receiver)
        stranger = World.of(database, jwt_secret=NEW)
        tested = await stranger.wiring.webhooks.test(SYSTEM, hook.id)
        assert (tested.taken, tested.status) == (False, None)
        assert "rotate" in str(tested.error)
        with pytest.raises(SinkRefused, match="rotate"):
            await (await stranger.sink()).take(happened())
        assert receiver.received == []
        new = await stranger.wiring.webhooks.rotate(SYSTEM, hook.id, {})
        assert new.previous_secret_until is None
        assert (await one(stranger, receiver)).is_signed_by(new.secret)


# Tests and replays


@pytest.mark.one_database
async def test_a_test_is_one_signed_event_and_says_how_it_went(world: World) -> None:
    async with receiving(OK, status(500), status(410), status(302, "location: /")) as receiver:
        hook = await world.hook(receiver, types=["order.*"])
        await world.change(hook, status="disabled")
        tests = [await world.wiring.webhooks.test(SYSTEM, hook.id) for _ in range(4)]
    assert [(each.taken, each.status, each.error) for each in tests] == [
        (True, 200, None),
        (False, 500, "status 500"),
        (False, 410, "status 410: gone"),
        (False, 302, "status 302: redirects are not followed"),
    ]
    assert all(each.duration_ms < 5000 for each in tests)
    assert receiver.ids == [each.event_id for each in tests]
    got = receiver.received[0]
    assert Verifier(hook.secret).verify(got.body, got.headers)["type"] == "arcana.webhook.test"
    assert (await world.view(hook)).failing_since is None


async def test_all_is_told_again_from_an_event_a_position_or_an_instant_on(world: World) -> None:
    ada = uuid4()
    async with receiving() as receiver, world.relaying():
        hook = await world.hook(receiver)
        await world.publish("a", "b", user=ada)
        await asyncio.sleep(0.05)
        between = utc_now()
        await asyncio.sleep(0.05)
        await world.publish("c", "d", user=ada)
        await receiver.until(4)
        await world.until_settled(hook)
        events = [each.event for each in receiver.received]
        places: list[tuple[dict[str, Any], str]] = [
            ({"from_event": events[1]["id"]}, "bcd"),
            ({"from_position": int(events[2]["sequence"])}, "cd"),
            ({"since": between}, "cd"),
            ({"since": between, "from_event": events[3]["id"]}, "d"),
            ({"from_position": 1}, "abcd"),
        ]
        for wanted, told in places:
            receiver.received.clear()
            assert await world.replay(hook, **wanted) == len(told)
            await receiver.until(len(told))
            await world.until_settled(hook)
            assert "".join(subjects(receiver)) == told
        assert set(receiver.ids) == {event["id"] for event in events}
        assert await world.replay(hook, since=utc_now()) == 0


async def test_a_replay_tells_nobody_what_it_did_not_ask_for(world: World) -> None:
    async with receiving() as receiver, world.relaying():
        hook = await world.hook(receiver, types=["user.*"])
        await world.publish("a", type_="user.created")
        await world.publish("b", type_="role.created")
        await receiver.until(1)
        await world.until_settled(hook)
        assert await world.replay(hook, from_position=1) == 1
        await receiver.until(2)
    assert subjects(receiver) == ["a", "a"]


async def test_what_was_given_up_comes_back_to_life(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WebhookSink, "schedule", QUICK[:1])
    async with receiving(status(500)) as receiver, world.relaying():
        hook = await world.hook(receiver)
        await world.publish("a")
        async with asyncio.timeout(15):
            while [each.state for each in await world.deliveries(hook)] != ["dead"]:
                await asyncio.sleep(0.05)
        receiver.answers = [OK]
        await world.publish("b")
        await receiver.until(3)
        assert await world.replay(hook) == 1
        await receiver.until(4)
        await world.until_settled(hook)
        assert await world.replay(hook) == 0
    assert subjects(receiver)[-2:] == ["b", "a"]


async def test_a_replay_while_much_waits_doubles_nothing_and_keeps_the_order(
    world: World,
) -> None:
    ada = uuid4()
    async with receiving(OK, OK, status(500)) as receiver:
        async with world.relaying():
            hook = await world.hook(receiver)
            await world.publish(*"abcd", user=ada)
            await receiver.until(4)
            async with asyncio.timeout(10):
                while len(await world.deliveries(hook)) < 2:
                    await asyncio.sleep(0.02)
        assert await world.replay(hook, from_position=1) == 2
        assert await world.replay(hook, from_position=1) == 0
        receiver.answers = [OK]
        receiver.received.clear()
        async with world.relaying():
            await receiver.until(4)
            await world.until_settled(hook)
    assert "".join(subjects(receiver)) == "abcd"


async def test_a_long_replay_goes_on_where_it_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.webhooks.service.REPLAYED_AT_ONCE", 3)
    async with receiving() as receiver:
        async with world.relaying():
            hook = await world.hook(receiver)
            await world.publish(*"abcde", user=uuid4())
            await receiver.until(5)
            await world.until_settled(hook)
        done = await world.wiring.webhooks.replay(SYSTEM, hook.id, {"from_position": 1})
        assert done.replayed == 3
        rest = {"from_position": done.next_position}
        done = await world.wiring.webhooks.replay(SYSTEM, hook.id, rest)
        assert (done.replayed, done.next_position) == (2, None)


# What the relay sees


@pytest.mark.one_database
async def test_unchanged_webhooks_are_the_sinks_of_before(world: World) -> None:
    async with receiving() as receiver:
        hook = await world.hook(receiver)
        sink = await world.sink()
        assert await world.sink() is sink
        await world.change(hook, description="another")
        assert await world.sink() is not sink


async def test_what_a_deleted_webhook_left_is_swept_away(world: World) -> None:
    async with receiving() as receiver:
        kept, gone = await world.hook(receiver), await world.hook(receiver)
        assert len(await world.wiring.listeners.webhook_sinks.all()) == 2
        await world.wiring.webhooks.delete(SYSTEM, gone.id)
        assert len(await world.wiring.listeners.webhook_sinks.all()) == 1
        # Its courier was just about to note something, or had to begin anew.
        await world.wiring.events.progress(f"webhook:{gone.id}")
        await world.sink()
        backlog = await world.wiring.events.backlog()
    assert [each.sink for each in backlog] == [f"webhook:{kept.id}"]
