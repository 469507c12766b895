"""Behind a proxy that is trusted, both doors count whom it speaks for, and count alike."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from service.core.rates import LOGINS_BY_ADDRESS
from tests.support.databases import fresh_database
from tests.support.doors import Answer, Door
from tests.support.live import Live, live_service

THERE, ELSEWHERE = "198.51.100.7", "198.51.100.8"


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def running(database_url: str) -> AsyncIterator[Live]:
    async with live_service(database_url, trusted_proxies="127.0.0.1") as live:
        yield live


async def guess(door: Door, number: int, forwarded: str) -> Answer:
    headers = {"x-forwarded-for": forwarded}
    email = f"nobody-{number}@example.com"
    return await door.call("login", email=email, password="a wrong guess", headers=headers)


async def test_an_address_is_counted_at_both_doors_together(live: Live) -> None:
    live.limits.on = True
    doors = (live.rest, live.rpc)
    for number in range(LOGINS_BY_ADDRESS.at_most):
        answer = await guess(doors[number % 2], number, f"203.0.113.{number % 250}, {THERE}")
        assert answer.outcome == "invalid_credentials"
    for door in doors:
        assert (await guess(door, 999, THERE)).outcome == "rate_limited"
        assert (await guess(door, 999, f"{THERE}:4711")).outcome == "rate_limited"
        assert (await guess(door, 999, ELSEWHERE)).outcome == "invalid_credentials"
