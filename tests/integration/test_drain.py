"""The real program is stopped, reloaded and taken over under load, as by ``make chaos``."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.support.backends import why_absent
from tests.support.caches import own_redis
from tests.support.crowd import Tally, braked, filled, gathered, stopped_under_load
from tests.support.databases import fresh_database
from tests.support.frames import observing
from tests.support.served import Served, served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.backend("postgres"),
    pytest.mark.backend("redis"),
]
SMALL = {"rest": 10, "unary": 8, "streams": 2}


@pytest_asyncio.fixture
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    """Two workers over PostgreSQL and Redis, where changing a profile takes half a second."""
    if absence := why_absent("postgres"):
        pytest.skip(absence)
    settings = getattr(request, "param", {})
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fresh_database("postgres"))
        redis = await stack.enter_async_context(own_redis())
        await braked(url)
        more = {"REDIS_URL": redis.url, "WORKERS": "2", "DB_POOL_SIZE": "10", **settings}
        service = await stack.enter_async_context(served(url, **more))
        await filled(service, 50)
        yield service


async def test_sigterm_under_load_loses_nothing(service: Served) -> None:
    tally, observer, code, _ = await stopped_under_load(service, **SMALL)
    assert tally.lost == []
    assert code == 0
    assert (tally.closing > 0, tally.kept) == (True, 0)
    assert len(observer.last_ids) == 2


@pytest.mark.parametrize("service", [{"DRAIN_DELAY": "3"}], indirect=True)
async def test_a_balancer_is_told_before_connections_are_refused(service: Served) -> None:
    async with observing(service.rpc_port) as observer:
        observer.call(1, "/grpc.health.v1.Health/Watch")
        service.terminate()
        while await service.health("ready") != 503:
            pass
        assert await service.health("live") == 200  # a connection made after the signal
        assert observer.last_ids == []
        assert await service.ended(30) == 0
    assert await service.health("live") == 0


async def test_a_reload_refuses_nobody(service: Served) -> None:
    before, tally = service.workers, Tally()
    async with gathered(service, tally, **SMALL) as here:
        here.crowd.stays = True
        tally.send_signal(lambda: None)
        code, said = await service.command("reload")
        assert await here.crowd.leave(30) == []
    assert (code, said.splitlines()[-1]) == (0, "done")
    assert set(before).isdisjoint(service.workers)
    assert tally.lost == []
    assert tally.strange == {}


async def test_a_service_that_takes_over_refuses_nobody(service: Served) -> None:
    tally = Tally()
    async with gathered(service, tally, **SMALL) as here:
        here.crowd.stays = True
        tally.send_signal(lambda: None)
        assert await service.take_over() == 0
        assert await here.crowd.leave(30) == []
    assert tally.lost == []
    assert tally.strange == {}


async def test_a_reload_of_nothing_is_a_clear_failure(service: Served) -> None:
    service.terminate()
    await service.ended(30)
    code, said = await service.command("reload")
    assert code == 1
    assert "No service listens" in said
    assert "Traceback" not in said
