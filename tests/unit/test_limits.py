"""Counting tries, with the cache and without."""

import asyncio
from datetime import timedelta

import pytest

from service.core.errors import Limited
from service.core.networks import network_of
from service.core.ports import Limiter
from service.infra.cache import CacheUnavailable, MemoryCache, Tally
from service.infra.limits import CacheLimiter, NoLimits

MINUTE = timedelta(minutes=1)


class Seconds:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Outage(MemoryCache):
    """A cache that may be away, and remembers the keys it was asked for."""

    away = False

    def __init__(self, clock: Seconds) -> None:
        super().__init__(clock=clock)
        self.keys: set[str] = set()

    async def tally(self, key: str, amount: int = 1, ttl: timedelta | None = None) -> Tally:
        self.keys.add(key)
        if self.away:
            raise CacheUnavailable
        return await super().tally(key, amount, ttl)


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def cache(clock: Seconds) -> Outage:
    return Outage(clock)


@pytest.fixture
def limiter(cache: Outage, clock: Seconds) -> CacheLimiter:
    return CacheLimiter(cache, secret=b"s", clock=clock)


async def tries(limiter: Limiter, count: int, subject: str = "ada@example.com") -> int:
    """Try ``count`` times at 3 a minute, and say how many got through."""
    passed = 0
    for _ in range(count):
        try:
            await limiter.hit("login", subject, at_most=3, within=MINUTE)
        except Limited:
            continue
        passed += 1
    return passed


async def test_as_many_as_allowed_get_through(limiter: CacheLimiter) -> None:
    assert await tries(limiter, 10) == 3


async def test_simultaneous_tries_do_not_slip_through(limiter: CacheLimiter) -> None:
    assert sum(await asyncio.gather(*(tries(limiter, 1) for _ in range(20)))) == 3


async def test_the_refusal_says_how_long_the_window_still_lasts(
    limiter: CacheLimiter, clock: Seconds
) -> None:
    await tries(limiter, 3)
    clock.now += 25
    with pytest.raises(Limited) as refusal:
        await limiter.hit("login", "ada@example.com", at_most=3, within=MINUTE)
    assert refusal.value.retry_after == timedelta(seconds=35)
    clock.now += 35
    assert await tries(limiter, 4) == 3


async def test_tries_while_refused_do_not_lengthen_the_window(
    limiter: CacheLimiter, clock: Seconds
) -> None:
    for _ in range(59):
        await tries(limiter, 1)
        clock.now += 1
    clock.now += 1
    assert await tries(limiter, 1) == 1


async def test_subjects_and_kinds_are_counted_apart(limiter: CacheLimiter) -> None:
    await tries(limiter, 4)
    assert await tries(limiter, 4, "grace@example.com") == 3
    await limiter.hit("register", "ada@example.com", at_most=1, within=MINUTE)


async def test_kind_and_subject_do_not_run_together(cache: Outage, limiter: CacheLimiter) -> None:
    await limiter.hit("a", "bc", at_most=1, within=MINUTE)
    await limiter.hit("ab", "c", at_most=1, within=MINUTE)
    assert len(cache.keys) == 2


async def test_a_forgotten_subject_starts_anew(limiter: CacheLimiter, cache: Outage) -> None:
    await tries(limiter, 4)
    await limiter.forget("login", "ada@example.com")
    assert await tries(limiter, 4) == 3
    cache.away = True
    await tries(limiter, 4)
    await limiter.forget("login", "ada@example.com")
    assert await tries(limiter, 4) == 3


async def test_without_the_cache_limits_stand(
    limiter: CacheLimiter, cache: Outage, clock: Seconds
) -> None:
    cache.away = True
    assert await tries(limiter, 10) == 3
    clock.now += 60
    assert await tries(limiter, 10) == 3


async def test_without_the_cache_a_flood_of_subjects_takes_bounded_room(
    cache: Outage, clock: Seconds
) -> None:
    limiter = CacheLimiter(cache, secret=b"s", max_subjects=50, clock=clock)
    cache.away = True
    for i in range(500):
        await tries(limiter, 1, f"{i}@example.com")
    assert len(limiter._own) == 50


async def test_no_address_stands_in_a_key(limiter: CacheLimiter, cache: Outage) -> None:
    await tries(limiter, 1)
    await tries(limiter, 1, "odd \ud800\0 text")
    assert not any("ada" in key or "example" in key for key in cache.keys)
    other = CacheLimiter(cache, secret=b"another")
    await tries(other, 1)
    assert len(cache.keys) == 3


async def test_no_limits_lets_everything_through() -> None:
    limiter: Limiter = NoLimits()
    assert await tries(limiter, 100) == 100
    await limiter.forget("login", "ada@example.com")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("", ""),
        ("unix:", "unix:"),
        ("192.0.2.007", "192.0.2.007"),
        ("[::1]", "[::1]"),
        ("x" * 5000, "x" * 64),
    ],
)
def test_an_address_stands_for_its_network(address: str, network: str) -> None:
    assert network_of(address) == network
