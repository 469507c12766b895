"""make soak: both doors under 60 % of their measured peak, and what each worker holds meanwhile.

``python -m tests.bench.soak MINUTES``. The peak is measured first, for a sixth of a minute. Each
quarter of a minute the resident memory, file descriptors and connections of every worker are read;
the slope is that of the least squares over the second half, when caches and pools are full.
"""

import asyncio
import logging
import os
import statistics
import sys
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]  # it ships no types

from tests.support.caches import own_redis
from tests.support.databases import fresh_database
from tests.support.doors import Door, rest_door, rpc_door
from tests.support.served import ADMIN, PASSWORD, Served, served

CLIENTS = 16
SHARE = 0.6
PROBE_SECONDS, SAMPLE_SECONDS = 10.0, 15.0
MIB = 2**20
BOUND = 60.0
"""MiB an hour that a worker may seem to grow: a tenth of it in ten minutes is allocators' noise."""


@dataclass
class Load:
    """Clients at both doors; ``pause`` seconds between an answer and the next request of each."""

    doors: list[Door]
    token: str
    user_id: str
    pause: float = 0.0
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        for number in range(CLIENTS):
            door = self.doors[number % len(self.doors)]
            self._tasks.append(asyncio.create_task(self._ask(door, number)))

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, door: Door, number: int) -> None:
        turn, due = number, time.monotonic()
        while True:
            turn, due = turn + 1, due + self.pause
            try:
                wrong = await self._one(door, turn, number)
            except Exception as error:  # noqa: BLE001  # it is counted
                wrong = type(error).__name__
            if wrong:
                self.failed.append(f"{door.name} {wrong}")
            self.answered += not wrong
            await asyncio.sleep(max(0.0, due - time.monotonic()))  # who is late catches up

    async def _one(self, door: Door, turn: int, number: int) -> str:
        """Mostly reads, one change in ten, and now and then a log-in."""
        if turn % 100 == 0:
            answer = await door.call("login", email=ADMIN, password=PASSWORD)
        elif turn % 10 == 0:
            changes = {"id": self.user_id, "name": f"n {turn}"}
            answer = await door.call("update_user", bearer=self.token, **changes)
        elif turn % 10 == 5:
            answer = await door.call("list_users", bearer=self.token, size=10)
        else:
            answer = await door.call("who_am_i", bearer=self.token)
        return "" if answer.ok else answer.code


@dataclass
class Held:
    """What one process held, sample by sample."""

    pid: int
    at: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    connections: list[float] = field(default_factory=list)

    def look(self) -> None:
        process = psutil.Process(self.pid)
        self.at.append(time.monotonic())
        self.memory.append(process.memory_info().rss / MIB)
        self.files.append(process.num_fds())
        self.connections.append(len(process.net_connections("tcp")))

    def an_hour(self, values: list[float]) -> float:
        """How much ``values`` grow in an hour, judged by their second half."""
        half = len(values) // 2
        return statistics.linear_regression(self.at[half:], values[half:]).slope * 3600


async def soak(service: Served, load: Load, minutes: float) -> list[Held]:
    load.start()
    await asyncio.sleep(PROBE_SECONDS)
    peak, load.answered = load.answered / PROBE_SECONDS, 0
    await load.stop()
    print(f"peak {peak:.0f} requests a second, soaking at {SHARE:.0%} of it", flush=True)
    load.pause = CLIENTS / (peak * SHARE)
    load.start()
    held = [Held(pid) for pid in service.workers]
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        for process in held:
            process.look()
        await asyncio.sleep(SAMPLE_SECONDS)
    await load.stop()
    rate = load.answered / (minutes * 60)
    print(f"{load.answered} answered, {rate:.0f} a second, {len(load.failed)} failed", flush=True)
    return held


@asynccontextmanager
async def _loaded() -> AsyncIterator[tuple[Served, Load]]:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fresh_database("postgres"))
        redis = await stack.enter_async_context(own_redis())
        serving = served(url, REDIS_URL=redis.url, WORKERS="2")
        service = await stack.enter_async_context(serving)
        rest = await stack.enter_async_context(rest_door(service.http_port))
        rpc = await stack.enter_async_context(rpc_door(service.rpc_port))
        login = await rest.call("login", email=ADMIN, password=PASSWORD)
        token = str(login.body["access_token"])
        me = await rest.call("who_am_i", bearer=token)
        yield service, Load([rest, rpc], token, str(me.body["id"]))


async def main(minutes: float) -> int:
    logging.disable(logging.CRITICAL)
    async with _loaded() as (service, load):
        held = await soak(service, load, minutes)
        same = service.workers == [process.pid for process in held]
    print(f"{'worker':<8}{'':14}{'first':>9}{'last':>9}{'most':>9}{'an hour':>10}")
    faults = int(not same) + len(load.failed)
    for process in held:
        for name in ("memory", "files", "connections"):
            values = getattr(process, name)
            slope = process.an_hour(values)
            print(
                f"{process.pid:<8}{name + (' MiB' if name == 'memory' else ''):<14}"
                f"{values[0]:>9.1f}{values[-1]:>9.1f}{max(values):>9.1f}{slope:>+10.1f}"
            )
            faults += slope > BOUND
    print("bounded" if not faults else f"FAULT: {load.failed[:5]}, same workers: {same}")
    return 1 if faults else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ["GRPC_VERBOSITY"] = "NONE"
    sys.exit(asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else 10)))
