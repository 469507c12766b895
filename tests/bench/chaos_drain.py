"""make chaos: stops, restarts, kills and stuck loops under load, and what they cost; prints tables.

PostgreSQL, Redis and two workers. Forty REST keep-alive clients, twenty at gRPC (half of them
grpcio, half grpclib) and five streams; ``python -m tests.bench.chaos_drain RUNS``.
"""

import asyncio
import logging
import os
import sys
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.caches import own_redis
from tests.support.crowd import Tally, braked, filled, gathered, stopped_under_load
from tests.support.served import Served, served
from tests.support.servers import own_server
from tests.support.stuck import kill_one, stick_one

PEOPLE = 1000
HEAD = (
    f"{'run':<6}{'delay s':>8}{'before':>9}{'lost':>6}{'after':>7}{'refused':>9}{'exit':>6}"
    f"{'took s':>8}{'slowest s':>11}{'close':>7}{'kept':>6}  GOAWAY"
)


@asynccontextmanager
async def prepared() -> AsyncIterator[dict[str, str]]:
    """Settings of a service with two workers, whose database is full of people."""
    async with own_server("postgres") as server, own_redis() as redis:
        # who waits for a profile holds a connection, and twice as many workers run at a handover
        await server.execute("ALTER SYSTEM SET max_connections = 300")
        server.kill()
        await server.start()
        settings = {"DATABASE_URL": server.url(), "REDIS_URL": redis.url, "WORKERS": "2"}
        settings["DB_POOL_SIZE"] = "48"
        async with _serving(settings) as service:
            await filled(service, PEOPLE)
        await braked(server.url())
        yield settings


@asynccontextmanager
async def _serving(settings: dict[str, str], **more: str) -> AsyncIterator[Served]:
    others = {name: value for name, value in settings.items() if name != "DATABASE_URL"}
    async with served(settings["DATABASE_URL"], **others, **more) as service:
        yield service


async def stops(settings: dict[str, str], runs: int) -> int:
    """SIGTERM under load, ``runs`` times, half of them with a pause for the balancer."""
    print(f"SIGTERM under load, 2 workers\n{HEAD}", flush=True)
    faults, slowest = 0, 0.0
    for run in range(runs):
        delay = run % 2
        async with _serving(settings, DRAIN_DELAY=str(delay)) as service:
            tally, observer, code, took = await stopped_under_load(service)
        goaways = len(observer.last_ids)
        print(
            f"{run + 1:<6}{delay:>8}{tally.before.total():>9}{len(tally.lost):>6}"
            f"{tally.after.total():>7}{tally.late.total():>9}{code:>6}{took:>8.2f}"
            f"{tally.slowest:>11.2f}{tally.closing:>7}{tally.kept:>6}  {observer.last_ids}",
            flush=True,
        )
        bad = bool(tally.lost or code or tally.kept) or took > 15 or not (goaways and tally.closing)
        if bad:
            print(f"    FAULT: {tally.lost[:5]}", flush=True)
        faults, slowest = faults + bad, max(slowest, took)
    print(f"{faults} of {runs} runs at fault; the slowest exit after {slowest:.2f} s\n", flush=True)
    return faults


async def restart(settings: dict[str, str], how: str) -> int:
    """New workers, or a whole new process, under load: nobody may be refused."""
    tally = Tally()
    async with _serving(settings) as service:
        old = service.workers
        async with gathered(service, tally) as here:
            here.crowd.stays = True
            await asyncio.sleep(1.5)
            began = tally.signal = time.monotonic()
            if how == "reload":
                code, said = await service.command("reload")
            else:
                code, said = await service.take_over(), ""
            took = time.monotonic() - began
            await asyncio.sleep(2)
            faults = await here.crowd.leave(20)
        new = service.workers
    replaced = len(set(new) - set(old)) if how == "reload" else len(set(new).difference(old))
    unpaused = tally.late.total() - sum(tally.strange.values())
    print(
        f"{how}: exit {code} after {took:.1f} s, {replaced} workers new; answered"
        f" {tally.before.total() + tally.after.total()}; lost {len(tally.lost)};"
        f" grpclib clients that never paused refused {unpaused};"
        f" other failures {tally.strange} {said if code else ''} {tally.lost[:3]} {faults}",
        flush=True,
    )
    return int(bool(code or tally.lost or faults or tally.strange))


async def main(runs: int) -> int:
    logging.disable(logging.CRITICAL)
    async with prepared() as settings:
        faults = await stops(settings, runs)
        for how in ("reload", "take-over"):
            for _ in range(3):
                faults += await restart(settings, how)
        print()
        for scene in (kill_one, stick_one):
            for _ in range(3):
                async with _serving(settings) as service:
                    found = await scene(service)
                print(found, flush=True)
                faults += found.is_bad
    print("nothing forbidden was seen" if not faults else f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ["GRPC_VERBOSITY"] = "NONE"
    sys.exit(asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 30)))
