"""/metrics of the real service: two workers, one sum, whatever becomes of them."""

import asyncio
import json
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.backends import why_absent
from tests.support.databases import fresh_database
from tests.support.doors import rest_door, rpc_door
from tests.support.scrape import scrape, scrape_until
from tests.support.served import ADMIN, PASSWORD, Served, served
from tests.support.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.backend("redis")]

CANARY = "canary"
TIMES = 20


@pytest_asyncio.fixture(scope="module")
async def metrics_port() -> int:
    return free_port()


@pytest_asyncio.fixture(scope="module")
async def service(metrics_port: int) -> AsyncIterator[Served]:
    """Two workers over one SQLite file and Redis."""
    if absence := why_absent("redis"):
        pytest.skip(absence)
    with fresh_database("sqlite") as url:
        settings = {
            "WORKERS": "2",
            "REDIS_URL": "redis://127.0.0.1:6379/0",
            "CACHE_PREFIX": f"test-{secrets.token_hex(6)}:",
            "METRICS_PORT": str(metrics_port),
        }
        async with served(url, **settings) as running:
            yield running


def _who_counted() -> list[set[str]]:
    """The processes that left files, tree by tree."""
    folders = Path(tempfile.gettempdir()).glob("arcana-metrics-*")
    return [{f.stem.rpartition("_")[2] for f in one.glob("counter_*.db")} for one in folders]


async def _ask_on_new_connections(service: Served, times: int) -> None:
    """Each connection comes to either worker."""
    for _ in range(times):
        assert await service.health("live") == 200


async def test_requests_of_both_workers_at_both_doors_are_summed(
    service: Served, metrics_port: int
) -> None:
    before = await scrape(metrics_port)
    await _ask_on_new_connections(service, TIMES)
    for _ in range(TIMES):
        async with rpc_door(service.rpc_port) as rpc:
            assert (await rpc.call("who_am_i")).code == "missing_token"
    async with rest_door(service.http_port) as rest:
        assert (await rest.call("login", email=ADMIN, password=PASSWORD)).ok
        assert not (await rest.call("login", email=ADMIN, password=f"{CANARY} 55")).ok
    found = await scrape(metrics_port)

    def more(name: str, **labels: str) -> float:
        return found.of(name, **labels) - before.of(name, **labels)

    live = {"door": "http", "operation": "live"}
    assert more("arcana_requests_total", **live, code="ok") == TIMES
    assert more("arcana_request_duration_seconds_count", **live) == TIMES
    who = {"door": "grpc", "operation": "whoAmI"}
    assert more("arcana_requests_total", **who, code="missing_token") == TIMES
    assert more("arcana_logins_total", outcome="ok") == 1
    assert more("arcana_logins_total", outcome="invalid_credentials") == 1
    assert more("arcana_hashings_total", outcome="taken") == 2
    assert found.of("arcana_workers", doors="both") == 2
    assert found["arcana_build_info"] == 1


async def test_both_workers_counted(service: Served, metrics_port: int) -> None:
    """That it is a sum, and not one worker's luck: each has files of its own."""
    del metrics_port
    ours = {str(pid) for pid in service.workers}
    assert any(ours <= who for who in _who_counted())


async def test_gauges_are_sums_of_the_living(service: Served, metrics_port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{service.http_port}/health/live")
        found = await scrape_until(
            metrics_port, lambda s: s.of("arcana_connections", door="http") >= 1
        )
        assert found.of("arcana_connections", door="http") >= 1
    found = await scrape_until(
        metrics_port, lambda s: s.of("arcana_database_pool", state="in_use") == 0
    )
    assert found.of("arcana_database_pool", state="size") == 4  # two lanes in each worker
    assert found["arcana_change_feed_lag_seconds"] < 2
    assert found["arcana_event_loop_lag_seconds_count"] > 0


async def test_the_delay_of_a_change_is_told_by_the_other_worker(
    service: Served, metrics_port: int
) -> None:
    before = await scrape(metrics_port)
    async with rest_door(service.http_port) as rest:
        pair = await rest.call("login", email=ADMIN, password=PASSWORD)
        assert (await rest.call("logout", bearer=pair.body["access_token"])).ok
    name = "arcana_revocation_delay_seconds_count"
    found = await scrape_until(metrics_port, lambda s: s[name] > before[name])
    assert found[name] > before[name]


async def test_nothing_that_a_caller_sent_is_in_it(service: Served, metrics_port: int) -> None:
    url = f"http://127.0.0.1:{service.http_port}"
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"{url}/{CANARY}")
        await client.request(CANARY.upper(), f"{url}/health?{CANARY}")
        await client.get(
            f"{url}/api/v1/users/{CANARY}",
            headers={"Authorization": f"Bearer {CANARY}", "X-Request-ID": "r-1"},
        )
        await client.post(
            f"{url}/api/v1/auth/register",
            json={"name": CANARY, "email": f"{CANARY}@example.com", "password": f"{CANARY} 5521"},
        )
        text = (await client.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
    assert CANARY not in text.lower()
    assert ADMIN not in text
    lines = [json.loads(line) for line in service.log.splitlines()]
    assert CANARY not in service.log.lower()
    assert all(isinstance(line, dict) for line in lines)


async def test_a_killed_worker_is_counted_and_what_it_counted_stays(
    service: Served, metrics_port: int
) -> None:
    await _ask_on_new_connections(service, TIMES)
    before = await scrape(metrics_port)
    os.kill(service.workers[0], signal.SIGKILL)
    found = await scrape_until(
        metrics_port,
        lambda s: s.of("arcana_worker_exits_total", cause="died") == 1 and s["arcana_workers"] == 2,
    )
    assert found.of("arcana_worker_exits_total", cause="died") == 1
    assert found["arcana_workers"] == 2
    live = {"operation": "live", "code": "ok"}
    assert found.of("arcana_requests_total", **live) == before.of("arcana_requests_total", **live)


async def test_a_slow_client_does_not_hold_the_workers_watch_up(
    service: Served, metrics_port: int
) -> None:
    """The parent replaces a worker while somebody sits on its port and says nothing."""
    dead = service.workers[0]
    with socket.create_connection(("127.0.0.1", metrics_port), timeout=10) as silent:
        silent.sendall(b"GET /metrics HTTP/1.1\r\n")
        os.kill(dead, signal.SIGKILL)
        async with asyncio.timeout(30):
            while dead in service.workers or len(service.workers) < 2:
                await asyncio.sleep(0.1)
    assert (await scrape(metrics_port))["arcana_workers"] == 2
