"""What every cache does, in this process and in Redis alike. X54 to X63 are faults of the seed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from service.infra.cache import MISS, Cache, MemoryCache, Tally
from tests.support.caches import shared_redis

MINUTE = timedelta(minutes=1)
SHORT = timedelta(milliseconds=40)


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
    else:
        async with shared_redis() as redis:
            yield redis


class Factory:
    """Makes values, slowly if told, and counts."""

    def __init__(self, value: object = "made", seconds: float = 0) -> None:
        self.value, self.seconds, self.calls = value, seconds, 0

    async def __call__(self) -> object:
        self.calls += 1
        await asyncio.sleep(self.seconds)
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


async def test_what_was_set_is_got(cache: Cache) -> None:
    assert await cache.set("a", {"x": [1, "zwei", None]})
    assert await cache.get("a") == {"x": [1, "zwei", None]}


async def test_nothing_is_a_miss(cache: Cache) -> None:
    assert await cache.get("a") is MISS


async def test_x56_a_cached_none_is_a_hit(cache: Cache) -> None:
    """SEED X56: None could not be cached, so negative look-ups always hit the database."""
    absent = Factory(None)
    for _ in range(3):
        assert await cache.get_or_set("nobody", absent) is None
    assert absent.calls == 1
    assert await cache.get("nobody") is None


async def test_x55_x62_a_hit_has_the_type_of_the_miss(cache: Cache) -> None:
    """SEED X55, X62: a miss gave an object and a hit its text."""
    value = {"id": uuid4(), "at": datetime.now(UTC), "roles": {"admin"}, "pair": (1, b"2")}
    make = Factory(value)
    miss = await cache.get_or_set("a", make)
    hit = await cache.get_or_set("a", make)
    assert miss == hit == value
    assert [type(v) for v in hit.values()] == [type(v) for v in value.values()]
    assert make.calls == 1


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1)])
async def test_x58_a_ttl_of_nothing_is_refused(cache: Cache, ttl: timedelta) -> None:
    """SEED X58: ttl=0 became an hour."""
    await cache.set("there", 1)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: cache.set("a", 1, ttl),
        lambda: cache.get_or_set("a", Factory(), ttl),
        lambda: cache.increment("a", 1, ttl),
        lambda: cache.decrement("a", 1, ttl),
        lambda: cache.expire("there", ttl),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            await call()
    assert await cache.get("a") is MISS


async def test_a_value_ends_with_its_ttl(cache: Cache) -> None:
    await cache.set("a", 1, SHORT)
    await asyncio.sleep(0.1)
    assert await cache.get("a") is MISS


async def test_a_ttl_below_a_millisecond_is_taken(cache: Cache) -> None:
    assert await cache.set("a", 1, timedelta(microseconds=1))


async def test_x62_delete_says_whether_there_was_a_key(cache: Cache) -> None:
    """SEED X62: deleting a missing key said True."""
    await cache.set("a", None)
    assert await cache.delete("a") is True
    assert await cache.delete("a") is False


async def test_deleting_what_has_ended_says_false(cache: Cache) -> None:
    await cache.set("a", 1, SHORT)
    await asyncio.sleep(0.1)
    assert await cache.delete("a") is False


@pytest.mark.parametrize("text", ["*", "?", "[a-z]", "[^x]", "\\", "\\*", "a*", "ü*", "]["])
async def test_x59_text_of_users_is_no_wildcard(cache: Cache, text: str) -> None:
    """SEED X59: ``*`` wiped everything under the prefix."""
    await cache.set(f"user:{text}:1", 1)
    await cache.set(f"user:{text}:2", 2)
    for bystander in ("user:abc:1", "user:b:1", "user:", "user:x", "other"):
        await cache.set(bystander, "stays")
    assert await cache.delete_prefix(f"user:{text}:") == 2
    for bystander in ("user:abc:1", "user:b:1", "user:", "user:x", "other"):
        assert await cache.get(bystander) == "stays"


async def test_an_empty_prefix_removes_everything_of_ours(cache: Cache) -> None:
    await cache.set("a", 1)
    await cache.set("b", 2)
    assert await cache.delete_prefix("") == 2
    assert await cache.get("a") is MISS


async def test_a_counter_counts_both_ways(cache: Cache) -> None:
    assert await cache.increment("n") == 1
    assert await cache.increment("n", 41) == 42
    assert await cache.decrement("n", 2) == 40
    assert await cache.decrement("m") == -1
    assert await cache.get("n") == 40


async def test_a_whole_number_that_was_set_is_a_counter(cache: Cache) -> None:
    await cache.set("n", 5)
    assert await cache.increment("n") == 6


async def test_x61_a_counter_never_lives_for_ever(cache: Cache) -> None:
    """SEED X61: counters never got a ttl. Only the first change sets it."""
    first = await cache.tally("n", ttl=timedelta(seconds=10))
    second = await cache.tally("n", ttl=timedelta(hours=5))
    default = await cache.tally("m")
    assert (first.count, second.count) == (1, 2)
    assert timedelta(seconds=5) < second.remaining <= first.remaining <= timedelta(seconds=10)
    assert timedelta(minutes=59) < default.remaining <= timedelta(hours=1)


async def test_a_counter_starts_anew_after_its_ttl(cache: Cache) -> None:
    await cache.increment("n", ttl=SHORT)
    await asyncio.sleep(0.1)
    assert await cache.increment("n", ttl=SHORT) == 1


@pytest.mark.parametrize("value", ["5", None, True, [1], 1.5, 2**70])
async def test_what_is_no_counter_cannot_be_incremented(cache: Cache, value: object) -> None:
    await cache.set("a", value)
    with pytest.raises(TypeError):
        await cache.increment("a")
    assert await cache.get("a") == value


async def test_a_counter_does_not_run_over(cache: Cache) -> None:
    assert await cache.increment("n", 2**63 - 1) == 2**63 - 1
    with pytest.raises(TypeError):
        await cache.increment("n")
    with pytest.raises(TypeError):
        await cache.increment("m", 2**63)
    assert await cache.get("n") == 2**63 - 1


async def test_simultaneous_increments_all_count(cache: Cache) -> None:
    counts = await asyncio.gather(*(cache.increment("n") for _ in range(100)))
    assert sorted(counts) == list(range(1, 101))


async def test_expire_moves_the_end_of_a_key(cache: Cache) -> None:
    await cache.set("a", 1)
    assert await cache.expire("a", SHORT) is True
    await asyncio.sleep(0.1)
    assert await cache.get("a") is MISS
    assert await cache.expire("a", MINUTE) is False


async def test_changing_what_came_out_does_not_change_the_cache(cache: Cache) -> None:
    make = Factory({"roles": ["user"]})
    one, other = await asyncio.gather(cache.get_or_set("a", make), cache.get_or_set("a", make))
    one["roles"].append("admin")  # type: ignore[index]
    assert other == await cache.get("a") == {"roles": ["user"]}


@pytest.mark.parametrize("key", ["", "a\0b", "\ud800"])
async def test_a_key_that_cannot_be_is_refused(cache: Cache, key: str) -> None:
    with pytest.raises(ValueError):
        await cache.get(key)
    with pytest.raises(ValueError):
        await cache.set(key, 1)
    with pytest.raises(ValueError):
        await cache.delete(key)


async def test_x60_an_entity_is_refused_wherever_it_comes_from(cache: Cache) -> None:
    """SEED X60: a cached entity carries its password hash."""
    entity = object()
    with pytest.raises(TypeError):
        await cache.set("a", entity)
    with pytest.raises(TypeError):
        await cache.get_or_set("a", Factory(entity))
    assert await cache.get("a") is MISS


async def test_x60_simultaneous_misses_make_the_value_once(cache: Cache) -> None:
    """SEED X60: no stampede guard."""
    make = Factory(seconds=0.05)
    values = await asyncio.gather(*(cache.get_or_set("a", make) for _ in range(50)))
    assert values == ["made"] * 50
    assert make.calls == 1


async def test_different_keys_do_not_wait_for_each_other(cache: Cache) -> None:
    blocked = asyncio.Event()

    async def wait() -> int:
        await blocked.wait()
        return 1

    slow = asyncio.create_task(cache.get_or_set("slow", wait))
    await asyncio.sleep(0.01)
    assert await cache.get_or_set("quick", Factory()) == "made"
    blocked.set()
    assert await slow == 1


async def test_x63_a_failing_factory_is_heard_by_all_who_wait_and_not_cached(cache: Cache) -> None:
    """SEED X63: a blanket except hid bugs."""
    make = Factory(LookupError("bug"), seconds=0.05)
    calls = (cache.get_or_set("a", make) for _ in range(5))
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(failure) for failure in failures] == [LookupError] * 5
    assert make.calls == 1
    assert await cache.get_or_set("a", Factory()) == "made"


async def test_when_who_makes_a_value_is_cancelled_another_goes_on(cache: Cache) -> None:
    make = Factory(seconds=0.05)
    leader = asyncio.create_task(cache.get_or_set("a", make))
    await asyncio.sleep(0.02)
    others = [asyncio.create_task(cache.get_or_set("a", make)) for _ in range(5)]
    await asyncio.sleep(0.01)
    leader.cancel()
    assert await asyncio.gather(*others) == ["made"] * 5
    with pytest.raises(asyncio.CancelledError):
        await leader
    assert make.calls == 2


async def test_one_who_waits_and_is_cancelled_stops_nobody(cache: Cache) -> None:
    make = Factory(seconds=0.05)
    leader = asyncio.create_task(cache.get_or_set("a", make))
    await asyncio.sleep(0.01)
    waiter = asyncio.create_task(cache.get_or_set("a", make))
    await asyncio.sleep(0.01)
    waiter.cancel()
    assert await leader == "made"
    with pytest.raises(asyncio.CancelledError):
        await waiter


@pytest.mark.parametrize("change", ["delete", "delete_prefix", "set"])
async def test_x60_what_was_read_before_a_change_is_not_stored_after_it(
    cache: Cache, change: str
) -> None:
    """SEED X60: no invalidation on write. Here: a reader that is slower than the writer."""
    read, go = asyncio.Event(), asyncio.Event()

    async def slow_read() -> str:
        read.set()
        await go.wait()
        return "old"

    reader = asyncio.create_task(cache.get_or_set("user:1", slow_read))
    await read.wait()
    if change == "set":
        await cache.set("user:1", "new")
    elif change == "delete":
        assert await cache.delete("user:1") is False
    else:
        assert await cache.delete_prefix("user:") == 0
    later = await cache.get_or_set("user:1", Factory("new"))
    go.set()
    assert await reader == "old"
    assert later == "new"
    assert await cache.get("user:1") == "new"


async def test_x60_the_ends_of_values_stored_together_lie_apart(cache: Cache) -> None:
    """SEED X60: no jitter. The value is a number, so ``tally`` can tell when it ends."""
    ends = []
    for i in range(20):
        await cache.get_or_set(f"n:{i}", Factory(1), timedelta(seconds=1000))
        tally: Tally = await cache.tally(f"n:{i}")
        ends.append(tally.remaining.total_seconds())
    assert all(899 < end <= 1100 for end in ends)
    assert max(ends) - min(ends) > 20


async def test_the_cache_answers(cache: Cache) -> None:
    assert await cache.ping() is True
