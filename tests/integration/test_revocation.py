"""A revoked token is refused at every worker and door; who can't tell says so."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from tests.support.caches import own_redis
from tests.support.databases import Backend, fresh_database
from tests.support.revocations import CAUSES, stage
from tests.support.served import ADMIN, PASSWORD, Served, served
from tests.support.servers import OwnServer, own_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest.mark.backend("redis")
@pytest.mark.parametrize("redis", ["Redis", "Redis stopped", "no Redis"])
async def test_whatever_revokes_a_token_reaches_both_doors_of_every_worker(
    url: str, redis: str
) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(own_redis()) if redis != "no Redis" else None
        settings = {"REDIS_URL": server.url} if server else {}
        services = [await stack.enter_async_context(served(url, **settings)) for _ in range(2)]
        ready = await stack.enter_async_context(stage(services))
        if server and redis == "Redis stopped":
            await server.stop()
        for cause in CAUSES:
            assert len(await ready.measure(cause, 1)) == len(ready.places)


@asynccontextmanager
async def blinded(
    redis_url: str | None = None, **settings: str
) -> AsyncIterator[tuple[OwnServer, Served, str]]:
    """A service whose database is its own, and an admin's token that it has seen."""
    more = {"REDIS_URL": redis_url} if redis_url else {}
    async with (
        own_server("postgres") as database,
        served(database.url(), **more, **settings) as service,
    ):
        body = {"email": ADMIN, "password": PASSWORD}
        answer = await asked(service, "/auth/login", json=body)
        token = answer.json()["access_token"]
        assert (await introspected(service, token)).json()["active"]
        yield database, service, token


async def asked(service: Served, path: str, **options: object) -> httpx.Response:
    url = f"http://127.0.0.1:{service.http_port}/api/v1{path}"
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        return await client.post(url, **options)  # type: ignore[arg-type]  # httpx's own


async def introspected(service: Served, token: str) -> httpx.Response:
    """What the token is worth, which needs nothing but to know that."""
    headers = {"Authorization": f"Bearer {token}"}
    return await asked(service, "/auth/introspect", json={"token": token}, headers=headers)


async def settled(service: Served, token: str, status: int) -> httpx.Response:
    """The answer once the worker has noticed that its database is away."""
    async with asyncio.timeout(20):
        while (answer := await introspected(service, token)).status_code != status:
            assert answer.status_code in (200, 503), answer.text
            await asyncio.sleep(0.1)
    return answer


async def test_who_hears_of_revocations_from_nowhere_answers_503_and_never_401() -> None:
    async with blinded() as (database, service, token):
        database.kill()
        answer = await settled(service, token, 503)
        assert answer.json()["code"] == "unavailable"
        await database.start()
        assert (await settled(service, token, 200)).json()["active"]


async def test_or_goes_on_as_configured() -> None:
    async with blinded(REVOCATION_OUTAGE="open") as (database, service, token):
        database.kill()
        for _ in range(20):
            assert (await introspected(service, token)).json() == await active(service, token)
            await asyncio.sleep(0.1)


async def active(service: Served, token: str) -> object:
    answer = await introspected(service, token)
    assert answer.json()["active"]
    return answer.json()


@pytest.mark.backend("redis")
async def test_redis_alone_is_enough_for_the_tokens_a_worker_has_seen() -> None:
    async with own_redis() as redis, blinded(redis.url) as (database, service, token):
        database.kill()
        for _ in range(20):
            assert (await active(service, token)) is not None
            await asyncio.sleep(0.1)
        await redis.stop()
        assert (await settled(service, token, 503)).json()["code"] == "unavailable"
