"""``manage.py worker``: refuses a bad start, relays, leaves in good order, is taken over from."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from service.core.events import Event
from service.infra.database import Database
from service.infra.outbox import Outbox
from service.supervisor import ECHO
from tests.support.backends import why_absent
from tests.support.caches import OwnRedis, own_redis
from tests.support.databases import fresh_database
from tests.support.processes import SECRET, free_ports, manage
from tests.support.scrape import scrape_until
from tests.support.working import working

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.backend("postgres")]

STREAM = "test:events"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if absence := why_absent("postgres"):
        pytest.skip(absence)
    with fresh_database("postgres") as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[OwnRedis]:
    async with own_redis() as server:
        yield server


@pytest.fixture
def settings(url: str, server: OwnRedis) -> dict[str, str]:
    """Every kind of sink: each must let go of what it holds when the worker ends."""
    return {
        "DATABASE_URL": url,
        "REDIS_URL": server.url,
        "EVENT_STREAM": STREAM,
        "SYNC_TARGETS": "crm=grpc://127.0.0.1:1",
        "SMTP_URL": "smtp://127.0.0.1:1",
        "MAIL_FROM": "arcana@example.com",
        "PUBLIC_URL": "https://accounts.example.com",
    }


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.connect()
    yield database
    await database.close()


@pytest_asyncio.fixture
async def redis(server: OwnRedis) -> AsyncIterator[Redis]:
    client = Redis.from_url(server.url)
    yield client
    await client.aclose()


async def happens(database: Database, subject: str) -> None:
    async with database.transaction():
        await Outbox().publish(Event("thing.happened", subject, {}))


async def until_told(redis: Redis, subject: str, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while True:
            entries: Any = await redis.xrange(STREAM)
            told = [json.loads(fields[b"event"])["subject"] for _, fields in entries]
            if subject in told:
                return
            await asyncio.sleep(0.05)


def test_bad_settings_stop_the_start_as_with_serve(tmp_path: Path) -> None:
    bare = manage(tmp_path, "worker")
    assert bare.returncode == 1
    assert bare.stderr.startswith("JWT_SECRET: must be set")
    unfit = manage(tmp_path, "worker", JWT_SECRET=SECRET, EVENT_STREAM=STREAM)
    assert unfit.returncode == 1
    assert unfit.stderr.startswith("EVENT_STREAM: a stream needs Redis")


def test_it_does_not_start_behind_its_migrations(tmp_path: Path) -> None:
    behind = manage(tmp_path, "worker", JWT_SECRET=SECRET, DATABASE_URL=f"sqlite://{tmp_path}/a.db")
    assert behind.returncode == 1
    assert "migrate up" in behind.stderr


async def test_an_event_reaches_the_stream_and_sigterm_ends_it_with_0(
    settings: dict[str, str], database: Database, redis: Redis
) -> None:
    [port] = free_ports(1)
    async with working({**settings, "METRICS_PORT": str(port)}) as [worker]:
        await happens(database, "first")
        await until_told(redis, "first")
        taken = {"sink": "redis", "outcome": "taken"}
        found = await scrape_until(port, lambda f: f.of("arcana_deliveries_total", **taken) > 0)
        assert found.of("arcana_deliveries_total", **taken) >= 1
        found = await scrape_until(port, lambda f: f["arcana_relaying"] > 0)
        assert found["arcana_relaying"] == 1
        assert found["arcana_workers"] == 0  # it serves nobody
        assert worker.process is not None
        began = time.monotonic()
        worker.process.terminate()
        assert await worker.ended(15) == 0
        assert time.monotonic() - began < 10
        assert "Traceback" not in worker.log
        assert not list(worker.folder.glob("*.alive"))
    async with working(settings):  # at once: the lease was given back
        await happens(database, "second")
        await until_told(redis, "second", seconds=10)


async def test_of_two_one_relays_and_the_other_takes_over_from_the_dead(
    settings: dict[str, str], database: Database, redis: Redis
) -> None:
    async with working(settings, 2) as [first, second]:
        await happens(database, "before")
        await until_told(redis, "before")
        assert (first.turns, second.turns) == (1, 0)
        first.kill()
        await happens(database, "after")
        await until_told(redis, "after")
        assert second.turns == 1


async def test_a_child_that_dies_or_stands_still_is_replaced(
    settings: dict[str, str], database: Database, redis: Redis
) -> None:
    async with working(settings) as [worker]:
        assert worker.child is not None
        os.kill(worker.child, signal.SIGSTOP)
        await worker.until_logged("gave no sign of life")
        await worker.until_logged("worker ready", times=2)
        await happens(database, "later")
        await until_told(redis, "later")


async def test_a_second_signal_ends_it_at_once(settings: dict[str, str], server: OwnRedis) -> None:
    async with working(settings) as [worker]:
        assert worker.child is not None
        assert worker.process is not None
        os.kill(worker.child, signal.SIGSTOP)  # it can't settle anything now
        worker.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(ECHO + 0.2)
        assert worker.process.poll() is None
        worker.process.send_signal(signal.SIGINT)
        assert await worker.ended(3) == 1
