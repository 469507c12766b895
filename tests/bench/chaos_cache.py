"""make chaos-cache: Redis in every kind of trouble under load; each answer is checked and timed.

Two services over one PostgreSQL and one Redis of their own. Every reader knows what was
acknowledged where and when, so a wrong answer is one that breaks the promise: an own write is read
at once, anybody's within a second, nothing deleted comes back.
"""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx
from redis.asyncio import Redis

from tests.support.caches import OwnRedis, own_redis
from tests.support.databases import Backend, fresh_database
from tests.support.proxy import Proxy, proxied
from tests.support.served import ADMIN, PASSWORD, served
from tests.support.truth import GONE, Truth

USERS, READERS, HEALTHY, TROUBLE = 100, 3, 4.0, 5.0
"""How many users; readers at each service; seconds of health, and of trouble."""
PAUSE = 0.03
"""Seconds between two reads of one reader, so that not the load itself is what takes time."""
FIRST = 1.0
"""Seconds of trouble that are not timed."""
SLOWER_MAX, NORMAL_MAX = 0.050, 5.0


@dataclass
class Load:
    """Readers and writers at both services, and what they saw."""

    clients: list[httpx.AsyncClient]
    truth: Truth = field(default_factory=Truth)
    times: list[tuple[float, float]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    stopping: bool = False

    async def begin(self) -> None:
        for number in range(USERS):
            self.ids.append(await self._make(f"{number}"))

    async def _make(self, mark: str) -> str:
        email = f"{mark}-{time.monotonic_ns()}@example.com"
        body = {"name": "v1", "email": email, "password": PASSWORD}
        answer = await self.clients[0].post("/users", json=body)
        return str(answer.raise_for_status().json()["id"])

    async def read(self, service: int) -> None:
        while not self.stopping:
            user, began = random.choice(self.ids), time.monotonic()
            answer = await self.clients[service].get(f"/users/{user}")
            self.times.append((began, time.monotonic() - began))
            self._see(user, service, began, answer)
            await asyncio.sleep(random.uniform(0, 2 * PAUSE))

    def _see(self, user: str, service: int, began: float, answer: httpx.Response) -> None:
        if answer.status_code == httpx.codes.NOT_FOUND:
            self.truth.see(user, service, began, GONE, "")
        elif answer.status_code == httpx.codes.OK:
            version = int(answer.headers["etag"].strip('"'))
            self.truth.see(user, service, began, version, answer.json()["name"])
        else:
            self.refused.append(answer.status_code)

    async def write(self, service: int) -> None:
        """Rename and delete; each writer has users of its own, so versions are known."""
        mine = range(service, USERS, len(self.clients))
        while not self.stopping:
            await asyncio.sleep(random.uniform(0.05, 0.2))
            place = random.choice(mine)
            user, via = self.ids[place], random.randrange(len(self.clients))
            if random.random() < 0.1:
                await self._delete(place, user, via)
            else:
                await self._rename(user, via)

    async def _rename(self, user: str, via: int) -> None:
        version = self.truth.begun.get(user, 1) + 1
        self.truth.begin(user, version)
        answer = await self.clients[via].patch(f"/users/{user}", json={"name": f"v{version}"})
        self._acknowledge(user, via, version, answer)

    async def _delete(self, place: int, user: str, via: int) -> None:
        self.truth.begin(user, GONE)
        self._acknowledge(user, via, GONE, await self.clients[via].delete(f"/users/{user}"))
        self.ids[place] = await self._make("again")
        self.ids.append(user)  # still asked for: it must never come back

    def _acknowledge(self, user: str, via: int, version: int, answer: httpx.Response) -> None:
        if answer.is_success:
            self.truth.acknowledge(user, via, version, time.monotonic())
        else:
            self.refused.append(answer.status_code)

    def took(self, since: float, until: float) -> tuple[float, float]:
        """The median and the 99th percentile of the reads begun in that time, in seconds."""
        took = [took for began, took in self.times if since <= began < until]
        return statistics.median(took), statistics.quantiles(took, n=100)[98]


@dataclass
class Stage:
    """What stands between the services and their Redis."""

    redis: OwnRedis
    proxy: Proxy
    raw: Redis
    load: Load

    async def until_normal(self) -> float:
        """Seconds until both services hear each other, and use what is in Redis again."""
        began = time.monotonic()
        await self.raw.flushall()
        async with asyncio.timeout(30):
            while True:
                ((_, listening),) = await self.raw.pubsub_numsub("arcana:changes")
                if listening == len(self.load.clients) and await self.raw.keys("*userfacts*"):
                    return time.monotonic() - began
                await asyncio.sleep(0.02)


Trouble = Callable[[Stage, float], Awaitable[None]]


async def _none(_: Stage, seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _stopped(stage: Stage, seconds: float) -> None:
    await stage.redis.stop()
    await asyncio.sleep(seconds)
    await stage.redis.start()


async def _frozen(stage: Stage, seconds: float) -> None:
    stage.redis.freeze()
    await asyncio.sleep(seconds)
    stage.redis.thaw()


async def _slow(stage: Stage, seconds: float) -> None:
    stage.proxy.delay, stage.proxy.mode = 0.5, "delay"
    await asyncio.sleep(seconds)
    stage.proxy.mode = "pass"


async def _black_holed(stage: Stage, seconds: float) -> None:
    stage.proxy.mode = "black-hole"
    await asyncio.sleep(seconds)
    stage.proxy.mode = "pass"
    stage.proxy.cut()


async def _flushed(stage: Stage, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await stage.raw.flushall()
        await asyncio.sleep(0.05)


TROUBLES: dict[str, Trouble] = {
    "none": _none,
    "stopped": _stopped,
    "frozen (SIGSTOP)": _frozen,
    "black-holed": _black_holed,
    "500 ms slow": _slow,
    "flushed 20 times a s": _flushed,
}


@asynccontextmanager
async def staged(database_url: str) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(own_redis())
        proxy = await stack.enter_async_context(proxied("127.0.0.1", redis.port))
        raw = Redis(port=redis.port)
        stack.push_async_callback(raw.aclose)
        clients = []
        for _ in range(2):
            url = f"redis://127.0.0.1:{proxy.port}/0"
            service = await stack.enter_async_context(served(database_url, REDIS_URL=url))
            clients.append(await stack.enter_async_context(_client(service.http_port)))
        yield Stage(redis, proxy, raw, Load(clients))


@asynccontextmanager
async def _client(port: int) -> AsyncIterator[httpx.AsyncClient]:
    """An admin at one service."""
    base = f"http://127.0.0.1:{port}/api/v1"
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=10) as client:
        answer = await client.post("/auth/login", json={"email": ADMIN, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


async def play(database_url: str, name: str, trouble: Trouble) -> bool:
    """One situation from health through trouble to health; prints its line, True if all held."""
    async with staged(database_url) as stage:
        load = stage.load
        await load.begin()
        services = range(len(load.clients))
        tasks = [asyncio.create_task(load.read(s)) for s in services for _ in range(READERS)]
        tasks += [asyncio.create_task(load.write(service)) for service in services]
        await asyncio.sleep(1.0)
        began = time.monotonic()
        await asyncio.sleep(HEALTHY)
        in_trouble = time.monotonic()
        await trouble(stage, TROUBLE)
        over = time.monotonic()
        normal = await stage.until_normal()
        await asyncio.sleep(1.0)
        load.stopping = True
        await asyncio.gather(*tasks)
    p50_well, healthy = load.took(began, in_trouble)
    p50_then, troubled = load.took(in_trouble + FIRST, over)
    print(
        f"{name:<22}{load.truth.reads:>7}{len(load.truth.wrong):>7}{len(load.refused):>9}"
        f"{p50_well * 1000:>10.1f}{p50_then * 1000:>10.1f}"
        f"{healthy * 1000:>10.1f}{troubled * 1000:>10.1f}{normal:>9.2f}",
        flush=True,
    )
    for wrong in load.truth.wrong[:3]:
        print("   ", wrong)
    calm = troubled - healthy <= SLOWER_MAX and normal <= NORMAL_MAX
    return calm and not load.truth.wrong and not load.refused


async def main(backend: Backend = "postgres") -> bool:
    print(f"Two services on {backend}, {USERS} users, {2 * READERS} readers, 2 writers.")
    print(
        f"{'Redis':<22}{'reads':>7}{'wrong':>7}{'refused':>9}"
        f"{'p50 well':>10}{'p50 then':>10}{'p99 well':>10}{'p99 then':>10}{'normal':>9}\n"
        f"{'':<45}{'ms':>10}{'ms':>10}{'ms':>10}{'ms':>10}{'after s':>9}"
    )
    held = []
    for name, trouble in TROUBLES.items():
        with fresh_database(backend) as url:
            held.append(await play(url, name, trouble))
    print("all as promised" if all(held) else "NOT as promised")
    return all(held)


if __name__ == "__main__":
    chosen: Backend = "mysql" if "mysql" in sys.argv[1:] else "postgres"
    sys.exit(not asyncio.run(main(chosen)))
