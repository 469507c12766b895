"""make bench-sizing: what a request costs a worker in processor time, operation by operation.

``python -m tests.bench.sizing SECONDS``. One worker serves; callers at one door ask the same for
``SECONDS`` each. What the worker's process spent meanwhile, divided by the answers, is the cost of
one, and what a core (vCPU) bears in a second is its inverse. So it does not matter who else uses
the machine's other cores, nor that the callers are slower than the service; the database's own
work is not in it.
"""

import asyncio
import logging
import os
import sys
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types

from tests.support.caches import own_redis
from tests.support.databases import BACKENDS, Backend, available, fresh_database
from tests.support.doors import Answer, Door, rest_door, rpc_door
from tests.support.served import ADMIN, PASSWORD, Served, served

CALLERS = 16
MIB = 2**20

Ask = Callable[[Door], Awaitable[Answer]]


@dataclass(frozen=True)
class Cost:
    """Of one operation at one door: milliseconds of processor for an answer."""

    operation: str
    door: str
    answers: int
    spent: float

    @property
    def each(self) -> float:
        return self.spent / self.answers * 1e3

    def __str__(self) -> str:
        return (
            f"{self.operation:<22}{self.door:<6}{self.answers:>8}{self.each:>10.2f}"
            f"{1e3 / self.each:>10.0f}"
        )


class Scene:
    """A running worker, and who asks it."""

    def __init__(self, service: Served, doors: list[Door], pair: dict[str, Any]) -> None:
        self.service, self.doors = service, doors
        self._token, self._refresh = str(pair["access_token"]), str(pair["refresh_token"])
        self.me = ""

    @property
    def worker(self) -> psutil.Process:
        (pid,) = self.service.workers
        return psutil.Process(pid)

    def asks(self) -> dict[str, Ask]:
        """What is asked, by the name it is shown under."""
        token, me = {"bearer": self._token}, {"id": self.me}

        async def refresh(door: Door) -> Answer:
            answer = await door.call("refresh", refresh_token=self._refresh)
            self._refresh = str(answer.body.get("refresh_token", self._refresh))
            return answer

        return {
            "read a user": lambda door: door.call("get_user", **token, **me),
            "list 10 users": lambda door: door.call("list_users", **token, size=10),
            "change a user": lambda door: door.call(
                "update_user", **token, **me, name=f"n {time.monotonic_ns()}"
            ),
            "refresh a session": refresh,
            "log in": lambda door: door.call("login", email=ADMIN, password=PASSWORD),
        }

    async def cost(self, name: str, ask: Ask, door: Door, seconds: float) -> Cost:
        """Raises: AssertionError, when a request fails."""
        answers = 0
        until = time.monotonic() + seconds

        async def go_on() -> None:
            nonlocal answers
            while time.monotonic() < until:
                answer = await ask(door)
                assert answer.ok, answer
                answers += 1

        before = self.worker.cpu_times()
        # a session is refreshed by one client, one token after the other
        async with asyncio.TaskGroup() as callers:
            for _ in range(1 if name == "refresh a session" else CALLERS):
                callers.create_task(go_on())
        after = self.worker.cpu_times()
        spent = after.user + after.system - before.user - before.system
        return Cost(name, door.name, answers, spent)


@asynccontextmanager
async def scene(backend: Backend) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fresh_database(backend))
        settings = {"WORKERS": "1"}
        if backend != "sqlite":
            settings["REDIS_URL"] = (await stack.enter_async_context(own_redis())).url
        service = await stack.enter_async_context(served(url, **settings))
        rest = await stack.enter_async_context(rest_door(service.http_port))
        rpc = await stack.enter_async_context(rpc_door(service.rpc_port))
        login = await rest.call("login", email=ADMIN, password=PASSWORD)
        found = Scene(service, [rest, rpc], login.body)
        me = await rest.call("who_am_i", bearer=str(login.body["access_token"]))
        found.me = str(me.body["id"])
        yield found


async def main(seconds: float) -> int:
    logging.disable(logging.CRITICAL)
    for backend in BACKENDS:
        if absence := available(backend):
            print(f"{backend}: {absence}", flush=True)
            continue
        async with scene(backend) as at:
            idle = at.worker.memory_info().rss / MIB
            print(f"\n{backend:<28}{'answers':>8}{'CPU ms':>10}{'a core/s':>10}")
            for name, ask in at.asks().items():
                for door in at.doors:
                    print(await at.cost(name, ask, door, seconds), flush=True)
            busy = at.worker.memory_info().rss / MIB
            print(f"memory of the worker: {idle:.0f} MiB at first, {busy:.0f} MiB now", flush=True)
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ["GRPC_VERBOSITY"] = "NONE"
    sys.exit(asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else 5)))
