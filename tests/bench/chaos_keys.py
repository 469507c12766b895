"""make chaos-keys: the keys rotate every 2 s for a minute under load, and no token is refused.

One service of two workers on a database and a Redis of its own, for each algorithm. Clients at
both doors log in, refresh and read, with the newest access token and with older ones. After a
third of the time every worker is replaced (SIGHUP), after two thirds the whole service is stopped
and started. A 401 is a failure whenever it comes; calls that nobody answers, and 503s, may only
come during a restart: a connection of grpclib ends with its worker. Nobody refreshes while the
service is down: an answer that is lost for more than 10 s would rightly end its session.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from base64 import urlsafe_b64decode
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from config.settings import Settings
from service.app import services_alone
from service.core.access import SYSTEM
from tests.support.caches import own_redis
from tests.support.databases import Backend, fresh_database
from tests.support.doors import Answer, Door, rest_door, rpc_door
from tests.support.processes import SECRET
from tests.support.served import ADMIN, PASSWORD, Served, served

ALGORITHMS = ("HS256", "EdDSA", "ES256")
SECONDS, EVERY, CLIENTS = 60.0, 2.0, 4
"""How long; seconds between rotations; clients at each door."""
PAUSE = 0.04
"""Seconds between two calls of a client, on average."""
HELD = 40
"""Access tokens that a client goes on using."""
LOST = (httpx.TransportError, OSError, GRPCError, ProtocolError, StreamTerminatedError, KeyError)
"""What a call ends with that nobody answers; grpclib then knows no request id (KeyError)."""
HEAD = (
    f"{'algorithm':<11}{'requests':>9}{'log-ins':>9}{'refreshes':>10}{'reads':>8}{'401':>6}"
    f"{'other':>7}{'restarts':>9}{'rotations':>10}{'seen':>6}{'slowest adoption':>18}"
)


@dataclass
class Tally:
    """What the clients saw. ``rotations`` are the keys that signed, and since when."""

    calls: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    at_restart: int = 0
    rotations: list[tuple[float, str]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    is_restarting: bool = False
    is_down: bool = False
    over: bool = False

    def count(self, call: str, outcome: str) -> None:
        self.calls[call] += 1
        if outcome in ("lost", "unavailable") and self.is_restarting:
            self.at_restart += 1
        else:
            self.outcomes[outcome] += 1

    def signed(self, token: str, asked: float) -> None:
        """A token was given for a call that began at ``asked``: is its key the newest?"""
        head = token.partition(".")[0]
        kid = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
        self.seen.add(kid)
        since = [at for at, name in self.rotations if name == kid]
        for at, _ in self.rotations:
            if at < asked and not (since and since[0] >= at):
                self.slowest = max(self.slowest, asked - at)
                break

    @property
    def refused(self) -> int:
        return self.outcomes["invalid_token"] + self.outcomes["missing_token"]

    @property
    def others(self) -> Counter[str]:
        known = ("ok", "invalid_token", "missing_token")
        return Counter({k: n for k, n in self.outcomes.items() if k not in known})


class Client:
    """One user at one door."""

    def __init__(self, door: Door, tally: Tally) -> None:
        self._door, self._tally = door, tally
        self._held: deque[str] = deque(maxlen=HELD)
        self._refresh = ""

    async def run(self) -> None:
        while not self._tally.over:
            await asyncio.sleep(random.uniform(0, 2 * PAUSE))
            chance = random.random()
            if not self._held or (chance < 0.03 and not self._tally.is_down):
                await self._call("login", email=ADMIN, password=PASSWORD)
            elif chance < 0.35 and not self._tally.is_down:
                await self._call("refresh", refresh_token=self._refresh)
            else:
                newest = random.random() < 0.5
                token = self._held[-1] if newest else random.choice(self._held)
                await self._call("who_am_i", bearer=token)

    async def _call(self, name: str, **arguments: str) -> None:
        asked = time.monotonic()
        try:
            answer: Answer = await self._door.call(name, **arguments)
        except LOST:
            self._tally.count(name, "lost")
            await asyncio.sleep(0.1)
            return
        self._tally.count(name, answer.outcome)
        if answer.outcome == "invalid_token":
            self._tally.failures.append(
                f"{name} {self._door.name} at {asked - self._tally.began:.1f} s"
            )
        if answer.ok and "access_token" in answer.body:
            self._held.append(answer.body["access_token"])
            self._refresh = answer.body["refresh_token"]
            self._tally.signed(self._held[-1], asked)


@asynccontextmanager
async def clients(service: Served, tally: Tally) -> AsyncIterator[None]:
    """The load, for as long as the block runs; each client has a connection of its own."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            for door in (rest_door(service.http_port), rpc_door(service.rpc_port)):
                group.create_task(Client(await stack.enter_async_context(door), tally).run())
        yield
        tally.over = True


async def rotate(tally: Tally, settings: Settings) -> None:
    """What ``manage.py keys rotate`` does, over and over."""
    async with services_alone(settings) as services:
        while not tally.over:
            began = time.monotonic()
            done = await services.keys.rotate(SYSTEM)
            tally.rotations.append((time.monotonic(), done.signing))
            await asyncio.sleep(max(0.0, began + EVERY - time.monotonic()))


async def mistreat(service: Served, tally: Tally, seconds: float) -> None:
    """Replace the workers, then the whole service."""
    await asyncio.sleep(seconds / 3)
    tally.is_restarting = True
    os.kill(service.pid, signal.SIGHUP)
    await asyncio.sleep(seconds / 3)
    tally.is_down = True
    await asyncio.sleep(1)
    await service.stop()
    await service.start()
    await asyncio.sleep(0.5)
    tally.is_down = tally.is_restarting = False
    await asyncio.sleep(seconds / 3)


async def play(backend: Backend, algorithm: str, seconds: float) -> bool:
    """One algorithm; prints its line, True if no token was refused."""
    tally = Tally()
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fresh_database(backend))
        redis = await stack.enter_async_context(own_redis())
        settings = {"JWT_ALGORITHM": algorithm, "JWT_SECRET": SECRET}
        shape = {"WORKERS": "2", "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}
        service = await stack.enter_async_context(served(url, **settings, **shape))
        chosen = Settings(database_url=url, jwt_secret=SECRET, jwt_algorithm=algorithm)
        async with clients(service, tally):
            turning = asyncio.create_task(rotate(tally, chosen))
            await mistreat(service, tally, seconds)
            tally.over = True
            await turning
    print(_line(algorithm, tally), flush=True)
    for line in (*tally.failures[:10], *map(str, tally.others.items())):
        print("   ", line)
    return not tally.refused and not tally.others


def _line(algorithm: str, tally: Tally) -> str:
    calls = tally.calls
    return (
        f"{algorithm:<11}{calls.total():>9}{calls['login']:>9}{calls['refresh']:>10}"
        f"{calls['who_am_i']:>8}{tally.refused:>6}{tally.others.total():>7}{tally.at_restart:>9}"
        f"{len(tally.rotations):>10}{len(tally.seen):>6}{tally.slowest:>16.2f} s"
    )


async def main(backend: Backend, seconds: float) -> bool:
    print(f"Two workers on {backend}, {2 * CLIENTS} clients; a rotation every {EVERY:.0f} s.")
    print(HEAD, flush=True)
    held = [await play(backend, algorithm, seconds) for algorithm in ALGORITHMS]
    print("no token was refused" if all(held) else "NOT as promised")
    return all(held)


if __name__ == "__main__":
    chosen: Backend = "mysql" if "mysql" in sys.argv[1:] else "postgres"
    shorter = [float(word) for word in sys.argv[1:] if word.isdigit()]
    sys.exit(not asyncio.run(main(chosen, *(shorter or [SECONDS]))))
