"""What backs a credential is read once, and again whenever it may have changed."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from service.core.errors import Unavailable
from service.infra.changes import Change
from service.infra.changes.known import Known
from service.infra.standings import LIFETIME, Owned, Standings

ADA, BOB = uuid4(), uuid4()


class FakeFeed:
    """The change feed's promises, given or withheld by hand."""

    def __init__(self) -> None:
        self.known, self.is_fresh, self.hears_redis = Known(), True, False
        self.lose: Callable[[], None] = lambda: None

    def subscribe(self, on_change: object, on_loss: Callable[[], None]) -> None:
        self.lose = on_loss

    def mark(self, user_id: UUID | None) -> int:
        return self.known.mark(user_id)

    def trusts(self, user_id: UUID, mark: int) -> bool:
        return self.is_fresh and self.known.trusts(user_id, mark)

    def trusts_blindly(self, user_id: UUID, mark: int) -> bool:
        return self.hears_redis and self.known.trusts(user_id, mark)

    def change(self, user_id: UUID) -> None:
        self.known.meet(Change(self.known.top + 1, user_id, "sessions", 0.0))


class World:
    """Standings over rows that a test writes, and a database that it may switch off."""

    def __init__(self, *, fail_open: bool = False, max_entries: int = 100) -> None:
        self.feed, self.now = FakeFeed(), 0.0
        self.rows: dict[UUID, Owned[str]] = {}
        self.reads, self.is_up = 0, True
        self.waits: asyncio.Event | None = None
        self.standings: Standings[str] = Standings(
            self.feed,  # type: ignore[arg-type]  # as much of it as is used
            fail_open=fail_open,
            max_entries=max_entries,
            clock=lambda: self.now,
        )

    async def get(
        self, key: UUID, user_id: UUID | None = ADA, presumed: str | None = None
    ) -> str | None:
        async def read() -> Owned[str] | None:
            self.reads += 1
            found = self.rows.get(key)
            if self.waits is not None:
                await self.waits.wait()
            if not self.is_up:
                raise Unavailable
            return found

        return await self.standings.get(key, user_id, read, presumed)

    def add(self, user_id: UUID = ADA, value: str = "good") -> UUID:
        key = uuid4()
        self.rows[key] = Owned(user_id, value)
        return key


async def test_a_warm_credential_costs_no_query() -> None:
    world = World()
    key = world.add()
    assert [await world.get(key) for _ in range(5)] == ["good"] * 5
    assert world.reads == 1


async def test_a_change_of_its_user_has_it_read_again_and_nobody_elses() -> None:
    world = World()
    adas, bobs = world.add(ADA), world.add(BOB)
    await world.get(adas, ADA)
    await world.get(bobs, BOB)
    del world.rows[adas]
    world.feed.change(ADA)
    assert await world.get(adas, ADA) is None
    assert await world.get(bobs, BOB) == "good"
    assert world.reads == 3


async def test_a_change_during_the_reading_has_it_read_once_more() -> None:
    world = World()
    key, world.waits = world.add(), asyncio.Event()
    reading = asyncio.create_task(world.get(key))
    await asyncio.sleep(0)
    del world.rows[key]
    world.feed.change(ADA)
    world.waits.set()
    await reading
    assert await world.get(key) is None


async def test_nothing_is_kept_too_of_a_credential_seen_before_that_does_not_name_its_user() -> (
    None
):
    world = World()
    key = world.add()
    assert await world.get(key, None) == "good"
    del world.rows[key]
    world.feed.change(ADA)
    world.reads = 0
    assert [await world.get(key, None) for _ in range(3)] == [None] * 3
    assert world.reads == 1


async def test_nothing_is_kept_too_when_the_credential_names_its_user() -> None:
    world, gone = World(), uuid4()
    assert [await world.get(gone, ADA) for _ in range(3)] == [None] * 3
    assert world.reads == 1


async def test_of_an_unknown_user_nothing_is_kept_of_what_is_not_there() -> None:
    world = World()
    key = uuid4()
    assert await world.get(key, None) is None
    world.rows[key] = Owned(BOB, "good")
    assert await world.get(key, None) == "good"


async def test_while_the_feed_is_behind_the_database_is_asked_each_time() -> None:
    world = World()
    key = world.add()
    await world.get(key)
    world.feed.is_fresh = False
    await world.get(key)
    await world.get(key)
    assert world.reads == 3


async def test_while_nobody_can_tell_callers_are_refused() -> None:
    world = World()
    key = world.add()
    await world.get(key)
    world.feed.is_fresh, world.is_up = False, False
    with pytest.raises(Unavailable):
        await world.get(key)


async def test_redis_alone_vouches_for_what_was_seen_and_tells_what_was_revoked() -> None:
    world = World()
    key = world.add()
    await world.get(key)
    world.feed.is_fresh, world.is_up, world.feed.hears_redis = False, False, True
    assert await world.get(key) == "good"
    with pytest.raises(Unavailable):
        await world.get(world.add())
    world.feed.change(ADA)
    with pytest.raises(Unavailable):
        await world.get(key)


async def test_failing_open_takes_credentials_as_last_known() -> None:
    world = World(fail_open=True)
    seen, revoked, unseen = world.add(), uuid4(), world.add()
    await world.get(seen)
    await world.get(revoked)
    world.feed.is_fresh, world.is_up = False, False
    assert await world.get(seen, ADA, "presumed") == "good"
    assert await world.get(revoked, ADA, "presumed") is None
    assert await world.get(unseen, ADA, "presumed") == "presumed"
    with pytest.raises(Unavailable):
        await world.get(unseen, ADA)


async def test_all_who_ask_at_once_share_one_reading() -> None:
    world = World()
    key, world.waits = world.add(), asyncio.Event()
    asking = [asyncio.create_task(world.get(key)) for _ in range(20)]
    await asyncio.sleep(0)
    world.waits.set()
    assert await asyncio.gather(*asking) == ["good"] * 20
    assert world.reads == 1


async def test_a_lost_thread_forgets_everything_also_what_is_being_read() -> None:
    world = World()
    key, world.waits = world.add(), asyncio.Event()
    reading = asyncio.create_task(world.get(key))
    await asyncio.sleep(0)
    world.feed.lose()
    world.waits.set()
    await reading
    assert len(world.standings) == 0


async def test_it_is_bounded_and_nothing_stays_for_ever() -> None:
    world = World(max_entries=3)
    keys = [world.add() for _ in range(5)]
    for key in keys:
        await world.get(key)
    assert len(world.standings) == 3
    world.now += LIFETIME + 1
    await world.get(keys[-1])
    assert world.reads == 6


async def test_one_that_is_forgotten_is_read_again() -> None:
    world = World()
    key = world.add()
    await world.get(key)
    world.rows[key] = Owned(ADA, "newer")
    assert await world.get(key) == "good"
    world.standings.forget(key)
    assert await world.get(key) == "newer"
