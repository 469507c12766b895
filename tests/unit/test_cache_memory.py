"""What only the cache of one process does, and the small parts of the one in Redis."""

import asyncio
from datetime import timedelta

import pytest

from service.infra.cache import MISS, CacheUnavailable, MemoryCache, RedisCache, open_cache
from service.infra.cache.debts import Debts


class Seconds:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


async def test_values_end_by_the_given_clock(clock: Seconds) -> None:
    cache = MemoryCache(default_ttl=timedelta(seconds=10), clock=clock)
    await cache.set("a", 1)
    clock.now += 9.9
    assert await cache.get("a") == 1
    clock.now += 0.1
    assert await cache.get("a") is MISS
    assert len(cache) == 0


async def test_when_it_is_full_the_least_used_goes(clock: Seconds) -> None:
    cache = MemoryCache(max_entries=3, clock=clock)
    for key in "abc":
        await cache.set(key, key)
    await cache.get("a")
    await cache.increment("n")
    assert [await cache.get(key) for key in "abc"] == ["a", MISS, "c"]
    assert len(cache) == 3


async def test_one_who_waits_too_long_makes_the_value_alone() -> None:
    cache = MemoryCache(patience=timedelta(milliseconds=20))
    stuck = asyncio.Event()

    async def never() -> str:
        await stuck.wait()
        return "late"

    async def own() -> str:
        return "own"

    leader = asyncio.create_task(cache.get_or_set("a", never))
    await asyncio.sleep(0)
    assert await cache.get_or_set("a", own) == "own"
    stuck.set()
    assert await leader == "late"


async def test_nothing_stays_behind_when_a_making_fails() -> None:
    cache = MemoryCache()

    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await cache.get_or_set("a", fail)
    assert not cache._leases
    assert not cache._flights._aloft


async def test_without_a_url_the_cache_is_in_this_process() -> None:
    assert isinstance(open_cache(None), MemoryCache)
    redis = open_cache("redis://127.0.0.1:1/0")
    assert isinstance(redis, RedisCache)
    await redis.close()


@pytest.mark.parametrize("url", ["", "http://x", "localhost:6379", "redis://:pass/word@host:x/0"])
def test_a_bad_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError) as refusal:
        open_cache(url)
    assert "pass" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_x58_a_default_ttl_of_nothing_is_refused() -> None:
    """SEED X58."""
    with pytest.raises(ValueError):
        open_cache(None, default_ttl=timedelta(0))


def test_a_debt_taken_on_while_it_is_paid_stays() -> None:
    debts = Debts(b"all")
    with debts.unless_done(name=b"a"):
        raise CacheUnavailable
    names, prefixes = debts.owed()
    with debts.unless_done(name=b"a"):
        raise CacheUnavailable
    debts.paid(names, prefixes)
    assert list(debts.owed()[0]) == [b"a"]
    debts.paid(*debts.owed())
    assert not debts


def test_a_cancelled_removal_is_owed_and_still_cancelled() -> None:
    debts = Debts(b"all")
    with pytest.raises(asyncio.CancelledError), debts.unless_done(prefix=b"p"):
        raise asyncio.CancelledError
    assert list(debts.owed()[1]) == [b"p"]


def test_too_many_debts_become_one_for_everything() -> None:
    debts = Debts(b"all", limit=3)
    for name in (b"a", b"b", b"c", b"d"):
        with debts.unless_done(name=name):
            raise CacheUnavailable
    names, prefixes = debts.owed()
    assert (list(names), list(prefixes)) == ([], [b"all"])
