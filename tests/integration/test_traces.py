"""Traces of the real service, as a collector receives them: two workers, Redis, three databases."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.backends import why_absent
from tests.support.databases import fresh_database
from tests.support.doors import Door, rest_door, rpc_door
from tests.support.served import ADMIN, PASSWORD, Served, served
from tests.support.servers import free_port
from tests.support.spans import Spans, collector

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.backend("redis")]

SPAN = "00f067aa0ba902b7"


@pytest_asyncio.fixture(scope="module")
async def received(backend: str) -> AsyncIterator[tuple[Served, Spans]]:
    """The service, and what its collector has received so far."""
    if absence := why_absent("redis"):
        pytest.skip(absence)
    with fresh_database(backend) as url, collector() as (endpoint, spans):  # type: ignore[arg-type]
        settings = {
            "WORKERS": "2",
            "REDIS_URL": "redis://127.0.0.1:6379/0",
            "CACHE_PREFIX": f"test-{secrets.token_hex(6)}:",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        async with served(url, **settings) as running:
            yield running, spans


async def _arrived(spans: Spans, trace: str, name: str) -> Spans:
    """That trace, once a span of that name is in it; its children have ended before it."""
    until = time.monotonic() + 20
    while name not in [s.name for s in spans.of(trace).seen] and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return spans.of(trace)


@pytest.mark.parametrize("at", ["rest", "grpc"])
async def test_a_request_shows_door_service_database_and_cache(
    received: tuple[Served, Spans], at: str
) -> None:
    service, spans = received
    opened = rest_door(service.http_port) if at == "rest" else rpc_door(service.rpc_port)
    async with opened as door:
        access = (await door.call("login", email=ADMIN, password=PASSWORD)).body["access_token"]
        trace = await _traced(door, access)
    top = {"rest": "GET /api/v1/users/<user_id>", "grpc": "arcana.user.UserService/GetUser"}[at]
    found = await _arrived(spans, trace, top)
    assert found.named(top).parent == SPAN
    assert found.ancestors(found.named("UserService.get")) == [top]
    assert found.ancestors(found.named("redis get")) == ["UserService.get", top]
    statement = next(s for s in found.seen if s.name == "SELECT users")
    assert found.ancestors(statement)[-2:] == ["UserService.get", top]
    assert {s.trace for s in found.seen} == {trace}
    everything = "".join(span.everything for span in spans.seen)
    for secret in (PASSWORD, ADMIN, access):
        assert secret not in everything


async def _traced(door: Door, access: str) -> str:
    """Ask for a user that no worker has seen yet; the trace under which it was asked for."""
    account = {"email": f"{secrets.token_hex(8)}@example.com", "password": "a long pass word 5"}
    made = await door.call("create_user", bearer=access, name="Ada", **account)
    trace = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{SPAN}-01"}
    assert (await door.call("get_user", bearer=access, id=made.body["id"], headers=headers)).ok
    return trace


async def test_a_collector_that_is_away_harms_nobody() -> None:
    with fresh_database("sqlite") as url:
        endpoint = f"http://127.0.0.1:{free_port()}"
        async with served(url, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as service:
            async with rest_door(service.http_port) as rest:
                for _ in range(20):
                    assert (await rest.call("login", email=ADMIN, password=PASSWORD)).ok
            await service.stop()
            assert service.exit_code == 0, service.log
            assert "Traceback" not in service.log
