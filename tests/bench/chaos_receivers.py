"""make chaos-receivers: a webhook that is down, slow or broken; do the doors feel it?

Two serving workers and ``manage.py worker`` on PostgreSQL, one webhook, steady reads and writes at
both doors. In turn its receiver is well, answers 500, takes 8 s for each answer, and is down for a
minute. Printed for each: p50 and p99 of all answers at the doors, how old the oldest untold event
got, how many tries were refused, and how long after the end of the trouble all was told.
``python -m tests.bench.chaos_receivers [SECONDS]``.
"""

import asyncio
import itertools
import os
import statistics
import sys
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.support.caches import own_redis
from tests.support.databases import fresh_database
from tests.support.doors import Door, rest_door, rpc_door
from tests.support.processes import SECRET, free_ports
from tests.support.receivers import OK, Answer, Receiver, Write, status
from tests.support.scrape import Scrape, scrape
from tests.support.served import ADMIN, PASSWORD, Served, served
from tests.support.working import working

CLIENTS, PAUSE = 6, 0.03
"""Callers at each door, and seconds between two calls of one."""
SLOW = 8.0
"""Seconds a slow receiver takes; a webhook is given 10."""
TOLD_WITHIN = 150.0
HEAD = (
    f"{'receiver':<14}{'s':>5}{'answers':>9}{'failed':>8}{'p50 ms':>8}{'p99 ms':>8}"
    f"{'oldest s':>10}{'refused':>9}{'told after s':>14}"
)


@dataclass
class Load:
    """What the callers saw since the last look."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0


@dataclass
class Stage:
    """Everything that runs."""

    service: Served
    receiver: Receiver
    load: Load
    metrics: int
    listening: asyncio.Server

    async def listen(self) -> None:
        """Have the receiver listen again, where it did before."""
        serve, port = self.receiver.serve, self.receiver.port
        self.listening = await asyncio.start_server(serve, "127.0.0.1", port)

    async def look(self) -> Scrape:
        return await scrape(self.metrics)

    async def lag(self) -> float:
        return (await self.look()).of("arcana_event_lag_seconds", sink="webhook")

    async def refused(self) -> float:
        found = await self.look()
        total = found.of("arcana_deliveries_total", sink="webhook")
        return total - found.of("arcana_deliveries_total", sink="webhook", outcome="taken")


async def call_on(door: Door, token: str, user_id: str, load: Load) -> None:
    """Read somebody, and rename them every fifth time, until cancelled."""
    for turn in itertools.count():
        began = time.monotonic()
        if turn % 5:
            answer = await door.call("get_user", bearer=token, id=user_id)
        else:
            answer = await door.call("update_user", bearer=token, id=user_id, name=f"n {turn}")
        load.seconds.append(time.monotonic() - began)
        load.failed += not answer.ok
        await asyncio.sleep(PAUSE)


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fresh_database("postgres"))
        redis = await stack.enter_async_context(own_redis())
        receiver = Receiver()
        listening = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
        receiver.port = listening.sockets[0].getsockname()[1]
        [metrics] = free_ports(1)
        settings = {
            "JWT_SECRET": SECRET,
            "REDIS_URL": redis.url,
            "WEBHOOK_HOSTS": "127.0.0.1",
            "WORKERS": "2",
        }
        service = await stack.enter_async_context(served(url, **settings))
        own = {**settings, "DATABASE_URL": url, "METRICS_PORT": str(metrics)}
        await stack.enter_async_context(working(own))
        rest = await stack.enter_async_context(rest_door(service.http_port))
        rpc = await stack.enter_async_context(rpc_door(service.rpc_port))
        token = (await rest.call("login", email=ADMIN, password=PASSWORD)).body["access_token"]
        assert (await rest.call("create_webhook", bearer=token, url=receiver.url)).ok
        load, callers = Load(), []
        for number, door in enumerate([rest, rpc] * CLIENTS):
            person = {"email": f"p{number}@example.com", "name": "P", "password": PASSWORD}
            made = await rest.call("create_user", bearer=token, **person)
            callers.append(asyncio.create_task(call_on(door, token, made.body["id"], load)))
        try:
            stage = Stage(service, receiver, load, metrics, listening)
            yield stage
            stage.listening.close()
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


async def slow(write: Write) -> None:
    await asyncio.sleep(SLOW)
    await write(OK)


async def hang_up(write: Write) -> None:
    """End the connections that are open still: a closed listener keeps them."""


TROUBLES: dict[str, Answer] = {
    "well": OK,
    "answers 500": status(500),
    f"takes {SLOW:.0f} s": slow,
    "is down": hang_up,
}


async def scene(stage: Stage, name: str, seconds: float) -> str:
    """Let the receiver behave so for a while, then well again; the row of the table."""
    stage.receiver.answers = [TROUBLES[name]]
    if name == "is down":
        stage.listening.close()
    stage.load.seconds, stage.load.failed = [], 0
    before, oldest, began = await stage.refused(), 0.0, time.monotonic()
    while time.monotonic() - began < seconds:
        await asyncio.sleep(1)
        oldest = max(oldest, await stage.lag())
    if name == "is down":
        print((await stage.service.command("outbox", "list"))[1], flush=True)
        await stage.listen()
    cuts = statistics.quantiles(stage.load.seconds, n=100)
    shown, answers, failed = (cuts[49], cuts[98]), len(stage.load.seconds), stage.load.failed
    stage.receiver.answers = [OK]
    after = await _until_told(stage)
    refused = await stage.refused() - before
    return (
        f"{name:<14}{seconds:>5.0f}{answers:>9}{failed:>8}"
        f"{1000 * shown[0]:>8.0f}{1000 * shown[1]:>8.0f}"
        f"{oldest:>10.1f}{refused:>9.0f}{after:>14.1f}"
    )


async def _until_told(stage: Stage) -> float:
    began = time.monotonic()
    while time.monotonic() - began < TOLD_WITHIN:
        await asyncio.sleep(1)
        found = await stage.look()
        waiting = found.of("arcana_events_parked", sink="webhook", state="waiting")
        if not waiting and await stage.lag() < 6:  # shown every 5 s, while the load goes on
            return time.monotonic() - began
    raise TimeoutError("not told in time")


async def main(seconds: float) -> int:
    failed = 0
    async with staged() as stage:
        await asyncio.sleep(3)
        print(HEAD, flush=True)
        for name in TROUBLES:
            lasting = max(seconds, 60) if name == "is down" else seconds
            print(await scene(stage, name, lasting), flush=True)
            failed += stage.load.failed
    print("no request failed" if not failed else f"{failed} requests failed")
    return 1 if failed else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ["GRPC_VERBOSITY"] = "NONE"
    sys.exit(asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else 20.0)))
