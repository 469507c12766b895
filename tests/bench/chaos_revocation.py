"""make chaos-revocation: how long each worker still takes a revoked token; prints a table.

Two services of one worker each, so that every worker can be asked by name, on new connections at
both doors: with Redis, with Redis stopped, and on SQLite. A delay is the time from the answer to
the revocation until the first request was sent that was refused. Bound: one second.
"""

import asyncio
import os
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.support.caches import own_redis
from tests.support.databases import Backend, available, fresh_database
from tests.support.revocations import CAUSES, Stage, stage
from tests.support.served import served

BOUND = 1.0
AT_ONCE = 4
"""Tokens revoked at the same time."""
SCENES: dict[str, tuple[Backend, str]] = {
    "PostgreSQL, Redis": ("postgres", "redis"),
    "PostgreSQL, Redis stopped": ("postgres", "stopped"),
    "MariaDB, Redis": ("mysql", "redis"),
    "SQLite": ("sqlite", ""),
}
HEAD = f"{'scene':<28}{'cause':<24}{'n':>6}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}"


async def main(rounds: int) -> int:
    """How many delays were over the bound. Each of ``rounds`` is measured at four places."""
    print(HEAD, flush=True)
    late = 0
    for scene, (backend, redis) in SCENES.items():
        if absence := available(backend):
            print(f"{scene:<28}left out: {absence}")
            continue
        async with _staged(backend, redis) as ready:
            for cause in CAUSES:
                delays: list[float] = []
                for _ in range(-(-rounds // AT_ONCE)):
                    delays += await ready.measure(cause, AT_ONCE)
                late += _report(scene, cause.name, delays)
    print("all within a second" if not late else f"{late} over a second")
    return late


def _report(scene: str, cause: str, delays: list[float]) -> int:
    cuts = statistics.quantiles(delays, n=100)
    shown = "".join(f"{1000 * seconds:>9.0f}" for seconds in (cuts[49], cuts[98], max(delays)))
    print(f"{scene:<28}{cause:<24}{len(delays):>6}{shown}", flush=True)
    return sum(delay > BOUND for delay in delays)


@asynccontextmanager
async def _staged(backend: Backend, redis: str) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fresh_database(backend))
        server = await stack.enter_async_context(own_redis()) if redis else None
        settings = {"REDIS_URL": server.url} if server else {}
        services = [await stack.enter_async_context(served(url, **settings)) for _ in range(2)]
        ready = await stack.enter_async_context(stage(services))
        if server and redis == "stopped":
            await server.stop()
            await asyncio.sleep(1)
        yield ready


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    sys.exit(1 if asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 52)) else 0)
