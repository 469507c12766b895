"""The cache in real Redis: several processes, cancelled callers, and a server that fails."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from service.core.errors import Limited
from service.infra.cache import MISS, CacheUnavailable, RedisCache
from service.infra.limits import CacheLimiter
from tests.support.caches import PATIENT, REDIS_URL, OwnRedis, own_redis, shared_redis

MINUTE = timedelta(minutes=1)
HUNG = timedelta(milliseconds=200)
FLOOD = 1200
"""Keys that need several SCANs and several UNLINKs."""


@pytest.fixture
async def cache() -> AsyncIterator[RedisCache]:
    async with shared_redis() as cache:
        yield cache


@pytest.fixture
async def pair() -> AsyncIterator[tuple[RedisCache, RedisCache]]:
    """The caches of two processes."""
    prefix = f"test:{uuid4().hex}:"
    async with shared_redis(prefix=prefix) as one, shared_redis(prefix=prefix) as other:
        yield one, other


@pytest.fixture
async def server() -> AsyncIterator[OwnRedis]:
    async with own_redis() as server:
        yield server


@pytest.fixture
async def raw(server: OwnRedis) -> AsyncIterator[Redis]:
    """A plain client of ``server``, to look behind the cache."""
    client = Redis(port=server.port)
    yield client
    await client.aclose()


@pytest.fixture
async def own(server: OwnRedis) -> AsyncIterator[RedisCache]:
    """A cache in ``server``, with the time-outs of production."""
    cache = RedisCache(server.url)
    yield cache
    await cache.close()


async def until_back(cache: RedisCache) -> None:
    async with asyncio.timeout(10):
        while not await cache.ping():
            await asyncio.sleep(0.05)


# --- several processes ------------------------------------------------------------------------


async def test_x60_two_processes_make_a_value_once(pair: tuple[RedisCache, RedisCache]) -> None:
    """SEED X60: no stampede guard."""
    calls = 0

    async def make() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.1)
        return "made"

    wanted = [cache.get_or_set("a", make) for cache in pair for _ in range(20)]
    assert await asyncio.gather(*wanted) == ["made"] * 40
    assert calls == 1


async def test_x60_a_change_in_one_process_stops_an_old_value_in_another(
    pair: tuple[RedisCache, RedisCache],
) -> None:
    """SEED X60: no invalidation on write."""
    reading, writing = pair
    read, go = asyncio.Event(), asyncio.Event()

    async def slow_read() -> str:
        read.set()
        await go.wait()
        return "old"

    reader = asyncio.create_task(reading.get_or_set("user:1", slow_read))
    await read.wait()
    await writing.delete_prefix("user:")
    go.set()
    assert await reader == "old"
    assert await writing.get("user:1") is MISS


async def test_one_waits_for_another_process_only_so_long() -> None:
    prefix, stuck = f"test:{uuid4().hex}:", asyncio.Event()
    short = timedelta(milliseconds=50)

    async def never() -> str:
        await stuck.wait()
        return "late"

    async def own() -> str:
        return "own"

    async with (
        shared_redis(prefix=prefix) as one,
        shared_redis(prefix=prefix, patience=short) as two,
    ):
        leader = asyncio.create_task(one.get_or_set("a", never))
        await asyncio.sleep(0.05)
        assert await two.get_or_set("a", own) == "own"
        assert await two.get("a") is MISS  # only who holds the lease stores
        stuck.set()
        assert await leader == "late"
        assert await two.get("a") == "late"


async def test_when_a_making_fails_the_next_process_need_not_wait(
    pair: tuple[RedisCache, RedisCache],
) -> None:
    one, other = pair

    async def fail() -> str:
        raise LookupError

    async def make() -> str:
        return "made"

    with pytest.raises(LookupError):
        await one.get_or_set("a", fail)
    async with asyncio.timeout(0.9):
        assert await other.get_or_set("a", make) == "made"


# --- cancelled callers (CVE-2023-28859) ---------------------------------------------------------


async def test_a_cancelled_question_leaves_its_answer_to_nobody() -> None:
    async with shared_redis(connections=4) as cache:
        for i in range(20):
            await cache.set(f"k:{i}", i)

        async def ask(i: int) -> bool:
            if i % 5 == 0:
                return await cache.tally(f"n:{i % 20}") is not None
            return await cache.get(f"k:{i % 20}") in (i % 20, MISS)

        for round_ in range(30):
            tasks = [asyncio.create_task(ask(i)) for i in range(100)]
            for turns, task in enumerate(tasks[::2]):
                for _ in range(turns % (round_ + 1)):
                    await asyncio.sleep(0)
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert {a for a in answers if not isinstance(a, asyncio.CancelledError)} <= {True}
        assert [await cache.get(f"k:{i}") for i in range(20)] == list(range(20))
        pool = cache._redis.connection_pool
        assert not pool._in_use_connections
        assert len(pool._available_connections) <= 4


async def test_a_cancelled_removal_is_made_up_for(cache: RedisCache) -> None:
    await cache.set("a", "old")
    removal = asyncio.create_task(cache.delete("a"))
    await asyncio.sleep(0)
    removal.cancel()
    await asyncio.gather(removal, return_exceptions=True)
    assert await cache.get("a") is MISS


# --- removing by prefix -------------------------------------------------------------------------


async def test_x59_a_prefix_is_removed_in_batches_and_without_keys(
    server: OwnRedis, raw: Redis
) -> None:
    """SEED X59: KEYS blocks Redis, and so does one big DEL."""
    cache = RedisCache(server.url, timeout=PATIENT)
    for start in range(0, FLOOD, 100):
        await asyncio.gather(*(cache.set(f"u:{i}", i) for i in range(start, start + 100)))
    await raw.set("foreign", "stays")
    assert await cache.delete_prefix("u:") == FLOOD
    assert await raw.keys() == [b"foreign"]
    stats = await raw.info("commandstats")
    assert stats["cmdstat_keys"]["calls"] == 1  # the one of this test
    assert stats["cmdstat_scan"]["calls"] > 1
    assert stats["cmdstat_unlink"]["calls"] > 2
    await cache.close()


async def test_x60_a_value_that_a_scan_missed_is_removed_too(
    pair: tuple[RedisCache, RedisCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SEED X60. SCAN promises nothing about keys that are made while it runs."""
    reading, writing = pair
    read, go = asyncio.Event(), asyncio.Event()

    async def slow_read() -> str:
        read.set()
        await go.wait()
        return "old"

    reader = asyncio.create_task(reading.get_or_set("user:1", slow_read))
    await read.wait()
    real_scan, scans = writing._redis.scan, 0

    async def scan(*args: Any, **options: Any) -> Any:
        nonlocal scans
        scans += 1
        if scans > 1:
            return await real_scan(*args, **options)
        go.set()
        await reader
        return 0, []

    monkeypatch.setattr(writing._redis, "scan", scan)
    assert await writing.delete_prefix("user:") == 1
    assert await reading.get("user:1") is MISS


async def test_one_prefix_does_not_see_another() -> None:
    async with shared_redis() as one, shared_redis() as other:
        await one.set("a", 1)
        assert await other.get("a") is MISS
        assert await other.delete_prefix("") == 0
        assert await one.get("a") == 1


# --- what stands in Redis ---------------------------------------------------------------------


async def test_x61_everything_in_redis_has_an_end(own: RedisCache, raw: Redis) -> None:
    """SEED X61: counters had no ttl."""

    async def make() -> int:
        assert await raw.pttl(b"arcana:made\0lease") > 0
        return 1

    await own.set("set", 1)
    await own.increment("n")
    await own.get_or_set("made", make)
    await raw.set("arcana:orphan", 7)
    await own.increment("orphan")
    names = await raw.keys()
    assert len(names) == 4
    assert all([await raw.pttl(name) > 0 for name in names])


async def test_what_another_program_left_there_is_a_miss(own: RedisCache, raw: Redis) -> None:
    await raw.set("arcana:a", "{}")
    assert await own.get("a") is MISS
    await raw.lpush("arcana:list", "x")
    assert await own.get("list") is MISS
    with pytest.raises(TypeError):
        await own.increment("list")

    async def make() -> str:
        return "made"

    assert await own.get_or_set("a", make) == "made"
    assert await own.get("a") == "made"


# --- a server that fails ----------------------------------------------------------------------


async def test_x61_without_redis_everything_goes_on(server: OwnRedis, own: RedisCache) -> None:
    """SEED X61: get and set degraded, the others raised."""
    calls = 0

    async def make() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.02)
        return "made"

    await own.set("a", 1)
    await server.stop()
    assert await own.get("a") is MISS
    assert await own.set("a", 2) is False
    assert await own.delete("a") is False
    assert await own.delete_prefix("a") == 0
    assert await own.expire("a", MINUTE) is False
    assert await own.ping() is False
    wanted = (own.get_or_set("b", make) for _ in range(10))
    assert await asyncio.gather(*wanted) == ["made"] * 10
    assert calls == 1
    for count in (own.increment, own.decrement, own.tally):
        with pytest.raises(CacheUnavailable):
            await count("n")


async def test_without_redis_what_cannot_be_cached_is_still_refused(
    server: OwnRedis, own: RedisCache
) -> None:
    await server.stop()
    with pytest.raises(TypeError):
        await own.set("a", object())
    with pytest.raises(ValueError):
        await own.set("a", 1, timedelta(0))


async def test_redis_that_comes_back_is_used_again(server: OwnRedis, own: RedisCache) -> None:
    await own.increment("n")
    await server.stop()
    assert await own.get("a") is MISS
    await server.start()
    await until_back(own)
    assert await own.set("a", 1) is True
    assert await own.get("a") == 1
    assert await own.increment("n") == 1  # its scripts are loaded again


async def test_a_restart_between_two_questions_is_not_noticed(
    server: OwnRedis, own: RedisCache
) -> None:
    assert await own.set("a", 1)
    await server.stop()
    await server.start()
    assert await own.set("a", 2) is True
    assert await own.increment("n") == 1


async def test_x63_a_hung_server_costs_a_time_out_and_not_one_per_request(
    server: OwnRedis, own: RedisCache, caplog: pytest.LogCaptureFixture
) -> None:
    """SEED X63: no time-outs. What is logged is the operation and the error, once."""
    await own.set("canary@example.com", "canary-value")
    server.freeze()
    began = time.monotonic()
    with caplog.at_level(logging.DEBUG, "service"):
        answers = [own.get("canary@example.com") for _ in range(20)]
        assert set(await asyncio.gather(*answers)) == {MISS}
        first = time.monotonic() - began
        for _ in range(500):
            assert await own.get("canary@example.com") is MISS
        assert await own.set("canary@example.com", "canary-value") is False
    rest = time.monotonic() - began - first
    server.thaw()
    assert first < 4 * HUNG.total_seconds() + 0.5
    assert rest < 0.5
    assert len(caplog.records) == 1
    assert "get: TimeoutError" in caplog.text
    assert "canary" not in caplog.text


async def test_while_it_hangs_nobody_waits_and_it_is_used_again_by_itself(
    server: OwnRedis, own: RedisCache
) -> None:
    """One task asks again, twice a second: no request pays for finding out."""
    await own.set("a", 1)
    server.freeze()
    assert await own.get("a") is MISS
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        asked = time.monotonic()
        answers = await asyncio.gather(*(own.get("a") for _ in range(50)))
        assert set(answers) == {MISS}
        assert time.monotonic() - asked < HUNG.total_seconds()
        await asyncio.sleep(0.05)
    server.thaw()
    async with asyncio.timeout(5):
        while await own.get("a") is MISS:
            await asyncio.sleep(0.05)
    assert await own.get("a") == 1


async def test_a_count_that_timed_out_is_not_sent_again(
    server: OwnRedis, own: RedisCache, raw: Redis
) -> None:
    await own.increment("n")
    server.freeze()
    with pytest.raises(CacheUnavailable):
        await own.increment("n")
    server.thaw()
    await until_back(own)
    assert await raw.get("arcana:n") == b"2"


@pytest.mark.parametrize("removal", ["delete", "delete_prefix", "set"])
async def test_what_changed_while_redis_hung_is_not_served_afterwards(
    server: OwnRedis, own: RedisCache, removal: str
) -> None:
    """Gone means slower, never wrong: the old value is still in Redis when it wakes up."""
    await own.set("user:1", "old")
    await own.set("user:2", "other")
    server.freeze()
    assert await own.get("user:2") is MISS  # opens the breaker: nothing below reaches Redis
    if removal == "delete":
        assert await own.delete("user:1") is False
    elif removal == "delete_prefix":
        assert await own.delete_prefix("user:1") == 0
    else:
        assert await own.set("user:1", "new") is False
    server.thaw()
    async with asyncio.timeout(10):
        while await own.get("user:2") is MISS:
            await asyncio.sleep(0.05)
    assert await own.get("user:1") is MISS


async def test_redis_that_refuses_writes_is_still_read(
    own: RedisCache, raw: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    await own.set("a", 1)
    await raw.config_set("maxmemory", "1")
    assert await own.set("b", 2) is False
    with pytest.raises(CacheUnavailable):
        await own.increment("n")
    await raw.config_set("maxmemory", "0")
    assert await own.get("a") == 1
    assert await own.set("b", 2) is True
    assert len([r for r in caplog.records if r.name.startswith("service")]) == 1


async def test_a_crowd_waits_for_connections_and_opens_no_breaker() -> None:
    async with shared_redis(connections=2) as cache:
        await cache.set("a", 1)
        assert await asyncio.gather(*(cache.get("a") for _ in range(500))) == [1] * 500
        assert not cache._link.is_away
        assert len(cache._redis.connection_pool._available_connections) <= 2


async def test_when_all_connections_are_taken_redis_is_not_to_blame() -> None:
    async with shared_redis(connections=1, timeout=timedelta(milliseconds=300)) as cache:
        await cache.set("a", 1)
        pool = cache._redis.connection_pool
        taken = await pool.get_connection()  # type: ignore[no-untyped-call]
        assert await cache.get("a") is MISS
        assert not cache._link.is_away
        await pool.release(taken)
        assert await cache.get("a") == 1


async def test_limits_stand_while_redis_is_gone(server: OwnRedis, own: RedisCache) -> None:
    limiter = CacheLimiter(own, secret=b"s")
    waits: list[timedelta] = []

    async def passed(count: int) -> int:
        total = 0
        for _ in range(count):
            try:
                await limiter.hit("login", "ada@example.com", at_most=3, within=MINUTE)
            except Limited as refusal:
                waits.append(refusal.retry_after)
                continue
            total += 1
        return total

    assert await passed(5) == 3
    await server.stop()
    assert await passed(5) == 3
    await limiter.forget("login", "ada@example.com")
    assert await passed(5) == 3
    assert all(timedelta(seconds=50) < wait <= MINUTE for wait in waits)


async def test_the_shared_redis_is_left_as_it_was(cache: RedisCache) -> None:
    await cache.set("a", 1)
    await cache.delete_prefix("")
    client = Redis.from_url(REDIS_URL)
    left = [name async for name in client.scan_iter(match=cache._prefix + b"*")]
    await client.aclose()
    assert left == []
