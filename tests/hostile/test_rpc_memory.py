"""The memory of a worker while somebody tries to fill it, measured in a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.support.databases import fresh_database
from tests.support.peer import peer, until
from tests.support.rpc_attacks import (
    MIB,
    announced,
    half_message,
    half_open,
    huge_message,
    memory,
    probing,
    resets,
)
from tests.support.served import Served, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module")
async def service() -> AsyncIterator[Served]:
    with fresh_database("sqlite") as url:
        async with served(url) as running:
            for _ in range(3):
                await announced(running.rpc_port, 2**32 - 1, MIB)
            yield running


async def test_huge_messages_are_refused_and_never_held(service: Served) -> None:
    async with memory(service.workers[0]) as seen, probing(service.rpc_port) as others:
        for _ in range(3):
            assert await huge_message(service.rpc_port, 64 * MIB) == "RESOURCE_EXHAUSTED"
            answer = await announced(service.rpc_port, 2**32 - 1)
            assert (answer["grpc-status"], answer["error-code"]) == ("8", "too_large")
    assert seen.grown < 20
    assert others.failed == 0


async def test_messages_begun_and_never_ended_fill_no_more_than_was_meant(
    service: Served,
) -> None:
    async with memory(service.workers[0]) as seen, AsyncExitStack() as stack:
        attackers = [await stack.enter_async_context(peer(service.rpc_port)) for _ in range(10)]
        for one in attackers:
            for stream in range(1, 100, 2):
                await half_message(one, stream, 4 * MIB - 1)
        await until(lambda: all(len(one.answers) > 40 for one in attackers))
        codes = {answer["error-code"] for one in attackers for answer in one.answers.values()}
        assert codes == {"unavailable"}
        async with probing(service.rpc_port) as others:
            await asyncio.sleep(1)
    assert seen.grown < 100
    assert others.failed == 0


async def test_calls_taken_back_by_the_thousand_are_nothing_to_others(service: Served) -> None:
    async with memory(service.workers[0]) as seen, probing(service.rpc_port) as others:
        told = await asyncio.gather(*(resets(service.rpc_port, 2000) for _ in range(10)))
    assert min(told) >= 1, "each was told to calm down"
    assert seen.grown < 50
    assert others.failed == 0


async def test_connections_that_never_begin_are_dropped(service: Served) -> None:
    async with half_open(service.rpc_port, 60) as peers, probing(service.rpc_port) as others:
        await until(lambda: all(one.is_closed for one in peers), 60)
    assert others.failed == 0
