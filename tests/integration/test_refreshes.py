"""Refreshes at two workers, with lost answers and by a thief; ``make chaos-refresh`` at length."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.databases import fresh_database
from tests.support.refreshes import Crowd, crowd, lose_answers, race, steal

pytestmark = [pytest.mark.slow, pytest.mark.backend("redis")]


@pytest.fixture(scope="module")
def url(backend: Any) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def everybody(url: str) -> AsyncIterator[Crowd]:
    async with crowd(url) as everybody:
        yield everybody


async def test_of_forty_refreshes_at_two_workers_one_chain_remains(everybody: Crowd) -> None:
    played = await race(everybody, rounds=5, at_once=40)
    assert played.faults == []
    assert (played.refreshes, played.successors, played.chains) == (200, 1, 1)


async def test_a_client_that_loses_answers_stays_logged_in(everybody: Crowd) -> None:
    played = await lose_answers(everybody, refreshes=60, every=5)
    assert played.faults == []
    assert (played.outcomes["ok"], played.lost) == (60, 12)


async def test_a_thief_is_out_and_so_is_the_session(everybody: Crowd) -> None:
    played = await steal(everybody, thefts=2)
    assert played.faults == []
    assert played.outcomes == {"ok": 4, "invalid_token": 8}
