"""make chaos-rpc: the gRPC door attacked, and what others feel of it; prints a table.

The service runs in processes of its own, with one worker on SQLite.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

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

Attack = Callable[[int], AsyncIterator[str]]


async def quiet(port: int) -> AsyncIterator[str]:
    await asyncio.sleep(3)
    yield "nothing at all, to compare with"


async def huge(port: int) -> AsyncIterator[str]:
    found = [await huge_message(port, 64 * MIB) for _ in range(5)]
    yield f"5 messages of 64 MiB: {', '.join(sorted(set(found)))}"


async def lied(port: int) -> AsyncIterator[str]:
    found = [(await announced(port, 2**32 - 1))["error-code"] for _ in range(5)]
    yield f"5 messages said to have 4 GB: {', '.join(sorted(set(found)))}"


async def unfinished(port: int) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        attackers = [await stack.enter_async_context(peer(port)) for _ in range(10)]
        for one in attackers:
            for stream in range(1, 200, 2):
                await half_message(one, stream, 4 * MIB - 1)
        await asyncio.sleep(3)
        refused = sum(len(one.answers) for one in attackers)
        yield f"1000 messages of 4 MiB begun and never ended: {refused} refused"


async def taken_back(port: int) -> AsyncIterator[str]:
    told = await asyncio.gather(*(resets(port, 2000) for _ in range(10)))
    yield f"2000 resets x 10 connections: told to calm down {sum(told)} times"


async def half(port: int) -> AsyncIterator[str]:
    async with half_open(port, 60) as peers:
        await until(lambda: all(one.is_closed for one in peers), 60)
    yield "60 half-open connections: all dropped"


ATTACKS: list[Attack] = [quiet, huge, lied, unfinished, taken_back, half]


@asynccontextmanager
async def _service() -> AsyncIterator[Served]:
    with fresh_database("sqlite") as url:
        async with served(url) as running:
            yield running


def say(line: str) -> None:
    print(line, flush=True)


async def main() -> int:
    """The number of probes that failed."""
    failed = 0
    say(f"{'memory':>10}  {'health: p50':>11}  {'p95':>7}  {'most':>7}  {'failed':>6}  attack")
    async with _service() as service:
        for attack in ATTACKS:
            async with memory(service.workers[0]) as seen, probing(service.rpc_port) as others:
                what = [line async for line in attack(service.rpc_port)]
            failed += others.failed
            waits = [f"{others.share(part) * 1000:.0f} ms" for part in (0.5, 0.95, 1)]
            say(
                f"{seen.grown:>+6.1f} MiB  {waits[0]:>11}  {waits[1]:>7}  {waits[2]:>7}"
                f"  {others.failed:>6}  {what[0]}"
            )
    return failed


if __name__ == "__main__":
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # attackers write on after the end
    sys.exit(1 if asyncio.run(main()) else 0)
