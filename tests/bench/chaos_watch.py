"""make chaos-watch: a watcher cut off 20 times under changes at both doors; prints a table.

Two workers and Redis, on each database. The watcher's connection passes a proxy that resets it at
random moments. At the end its copy must be what the table of users holds, by id and version.
"""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field

import httpx
from arcana_protos.client import ArcanaClient
from arcana_protos.user import CreateUserRequest, DeleteUserRequest, UpdateUserRequest

from docs.examples.user_mirror import UserMirror
from service.infra.database import Database
from tests.support.caches import own_redis
from tests.support.databases import BACKENDS, Backend, available, fresh_database
from tests.support.proxy import Proxy, proxied
from tests.support.relaying import relaying
from tests.support.served import ADMIN, PASSWORD, Served, served

CUTS = 20
HEAD = (
    f"{'database':<10}{'changes':>9}{'cuts':>6}{'streams':>9}{'messages':>10}"
    f"{'users':>7}{'missing':>9}{'extra':>7}{'stale':>7}{'seconds':>9}"
)


@dataclass
class Scene:
    """One service, its watcher and those who change users."""

    service: Served
    database: Database
    proxy: Proxy
    mirror: UserMirror = field(default_factory=UserMirror)
    seen: Counter[str] = field(default_factory=Counter)
    here: list[str] = field(default_factory=list)
    changes: int = 0

    async def watch(self) -> None:
        async with ArcanaClient("127.0.0.1", self.proxy.port) as arcana:
            await _log_in(arcana)
            watch = arcana.watch_users(snapshot=True, heartbeat_seconds=1)
            async with aclosing(watch) as events:
                async for event in events:
                    self.seen[event.kind] += 1
                    self.mirror.apply(event)

    async def change(self, until: asyncio.Event) -> None:
        """Users come, change and go at both doors."""
        base = f"http://127.0.0.1:{self.service.http_port}/api/v1"
        async with (
            ArcanaClient("127.0.0.1", self.service.rpc_port) as arcana,
            httpx.AsyncClient(base_url=base, trust_env=False, timeout=20) as rest,
        ):
            pair = await _log_in(arcana)
            rest.headers["authorization"] = f"Bearer {pair}"
            while not until.is_set():
                await self._one(arcana, rest)
                self.changes += 1

    async def _one(self, arcana: ArcanaClient, rest: httpx.AsyncClient) -> None:
        what, by_rest = random.choice(("add", "name", "name", "drop")), random.random() < 0.5
        if what == "add" or len(self.here) < 5:
            new = {"name": "New", "password": PASSWORD}
            new["email"] = f"n{time.monotonic_ns()}-{random.random()}@example.com"
            if by_rest:
                answer = await rest.post("/users", json=new)
                assert answer.status_code == 201, answer.text
                self.here.append(answer.json()["id"])
            else:
                self.here.append((await arcana.users.create_user(CreateUserRequest(**new))).id)
            return
        which = random.choice(self.here)
        if what == "name":
            name = f"Named {random.random()}"
            if by_rest:
                await rest.patch(f"/users/{which}", json={"name": name})
            else:
                await arcana.users.update_user(UpdateUserRequest(id=which, name=name))
        else:
            self.here.remove(which)
            if by_rest:
                await rest.delete(f"/users/{which}")
            else:
                await arcana.users.delete_user(DeleteUserRequest(id=which))

    async def versions(self) -> dict[str, int]:
        rows = await self.database.client.execute_query_dict("SELECT id, version FROM users")
        return {str(row["id"]): row["version"] for row in rows}


async def _log_in(arcana: ArcanaClient) -> str:
    """Signed in as the admin; tried again while the proxy resets."""
    while True:
        try:
            return (await arcana.log_in(ADMIN, PASSWORD)).access_token
        except Exception:  # noqa: BLE001  # cut off
            await asyncio.sleep(0.1)


async def main(backends: list[str]) -> int:
    """How many databases had a fault."""
    print(HEAD, flush=True)
    faults = 0
    for backend in BACKENDS:
        if backends and backend not in backends:
            continue
        if absence := available(backend):
            print(f"{backend:<10}left out: {absence}")
            continue
        async with _staged(backend) as scene:
            faults += await _play(backend, scene)
    print("every copy is exact" if not faults else f"{faults} copies differ")
    return faults


async def _play(backend: str, scene: Scene) -> int:
    began, until = time.monotonic(), asyncio.Event()
    watching = asyncio.create_task(scene.watch())
    changing = asyncio.create_task(scene.change(until))
    for _ in range(CUTS):
        await asyncio.sleep(random.uniform(0.1, 1.2))
        scene.proxy.cut()
        assert not changing.done(), changing
    until.set()
    await changing
    wanted, deadline = await scene.versions(), time.monotonic() + 30
    while scene.mirror.versions != wanted and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    held = scene.mirror.versions
    stale = sum(held[id_] != version for id_, version in wanted.items() if id_ in held)
    missing, extra = len(wanted.keys() - held.keys()), len(held.keys() - wanted.keys())
    cells = (
        *((scene.changes, 9), (CUTS, 6), (scene.proxy.accepted, 9), (scene.seen.total(), 10)),
        *((len(wanted), 7), (missing, 9), (extra, 7), (stale, 7)),
        (round(time.monotonic() - began, 1), 9),
    )
    print(f"{backend:<10}" + "".join(f"{cell:>{width}}" for cell, width in cells), flush=True)
    return int(held != wanted)


@asynccontextmanager
async def _staged(backend: Backend) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fresh_database(backend))
        redis = await stack.enter_async_context(own_redis())
        settings = {"REDIS_URL": redis.url, "WORKERS": "2"}
        service = await stack.enter_async_context(served(url, **settings))
        database = Database(url)
        await database.connect()
        stack.push_async_callback(database.close)
        await stack.enter_async_context(relaying(database))
        proxy = await stack.enter_async_context(proxied("127.0.0.1", service.rpc_port))
        yield Scene(service, database, proxy)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
