"""Redis Streams as a sink: what an entry holds, and what becomes of one that Redis did not take."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from service.core.clock import utc_now
from service.core.events import SinkRefused, Told
from service.infra.streams import StreamSink
from tests.support.caches import OwnRedis, own_redis

STREAM = "test:events"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[OwnRedis]:
    async with own_redis() as server:
        yield server


@pytest_asyncio.fixture
async def redis(server: OwnRedis) -> AsyncIterator[Redis]:
    client = Redis.from_url(server.url)
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def sink(server: OwnRedis) -> AsyncIterator[StreamSink]:
    sink = StreamSink(
        server.url, stream=STREAM, length=100_000, source="https://arcana.example", timeout=0.5
    )
    yield sink
    await sink.close()


def event(position: int, user_id: UUID | None = None) -> Told:
    data = json.dumps({"number": position})
    return Told(position, uuid4(), "user.updated", "users/7", user_id, utc_now(), data)


async def entries(redis: Redis) -> list[dict[bytes, bytes]]:
    found: Any = await redis.xrange(STREAM)
    return [fields for _, fields in found]


async def test_an_entry_holds_the_whole_cloud_event_and_what_to_skip_it_by(
    sink: StreamSink, redis: Redis
) -> None:
    told = event(7, user_id=uuid4())
    await sink.take(told)
    [entry] = await entries(redis)
    assert set(entry) == {b"id", b"type", b"event"}
    assert (entry[b"id"].decode(), entry[b"type"]) == (str(told.id), b"arcana.user.updated")
    written = json.loads(entry[b"event"])
    assert written["specversion"] == "1.0"
    assert (written["id"], written["source"]) == (str(told.id), "https://arcana.example")
    assert (written["sequence"], written["partitionkey"]) == ("0" * 19 + "7", str(told.user_id))
    assert written["data"] == {"number": 7}


async def test_what_is_told_in_one_moment_goes_in_one_round_trip(
    sink: StreamSink, redis: Redis
) -> None:
    await sink.take(event(0))
    before: Any = await redis.info("stats")
    async with asyncio.TaskGroup() as tasks:
        for number in range(1, 61):
            tasks.create_task(sink.take(event(number)))
    after: Any = await redis.info("stats")
    assert len(await entries(redis)) == 61
    assert after["total_reads_processed"] - before["total_reads_processed"] <= 5


async def test_one_after_the_other_keeps_its_order(sink: StreamSink, redis: Redis) -> None:
    for number in range(50):
        await sink.take(event(number))
    numbers = [json.loads(entry[b"event"])["data"]["number"] for entry in await entries(redis)]
    assert numbers == list(range(50))


async def test_the_stream_keeps_about_as_many_as_it_may(server: OwnRedis, redis: Redis) -> None:
    sink = StreamSink(server.url, stream=STREAM, length=200, source="arcana")
    for start in range(0, 2000, 50):
        await asyncio.gather(*(sink.take(event(start + number)) for number in range(50)))
    await sink.close()
    assert 200 <= len(await entries(redis)) < 400


async def test_a_redis_that_is_away_is_a_refusal_and_back_it_is_told(
    server: OwnRedis, sink: StreamSink, redis: Redis
) -> None:
    await sink.take(event(1))
    await server.stop()
    with pytest.raises(SinkRefused, match=r"^redis unavailable$") as caught:
        await sink.take(event(2))
    assert not caught.value.final
    await server.start()
    await sink.take(event(3))
    assert len(await entries(redis)) == 1


async def test_a_redis_that_hangs_is_given_up_in_time(server: OwnRedis, sink: StreamSink) -> None:
    await sink.take(event(1))
    server.freeze()
    try:
        async with asyncio.timeout(3):
            found = await asyncio.gather(
                *(sink.take(event(number)) for number in range(10)), return_exceptions=True
            )
    finally:
        server.thaw()
    assert {str(error) for error in found} == {"redis unavailable"}


async def test_what_redis_refuses_is_refused_with_its_code_alone(
    sink: StreamSink, redis: Redis
) -> None:
    await redis.set(STREAM, "no stream")
    with pytest.raises(SinkRefused, match=r"^redis refuses \(WRONGTYPE\)$"):
        await sink.take(event(1))
    await redis.delete(STREAM)
    await redis.config_set("maxmemory", "1")
    await redis.config_set("maxmemory-policy", "noeviction")
    with pytest.raises(SinkRefused, match=r"^redis refuses \((OOM|OutOfMemoryError)\)$"):
        await sink.take(event(2))


async def test_who_sent_for_all_and_is_cancelled_leaves_nobody_waiting(
    server: OwnRedis, sink: StreamSink
) -> None:
    await sink.take(event(0))
    server.freeze()
    try:
        first, *others = [asyncio.create_task(sink.take(event(number))) for number in range(5)]
        await asyncio.sleep(0.1)
        first.cancel()
        async with asyncio.timeout(2):
            found = await asyncio.gather(*others, return_exceptions=True)
    finally:
        server.thaw()
    assert {type(error) for error in found} == {SinkRefused}
    await sink.take(event(9))


async def test_a_sink_that_was_never_used_closes() -> None:
    await StreamSink("redis://nowhere.invalid", stream="s", length=1, source="a").close()
