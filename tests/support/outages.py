"""Outages played through to the end: something dies under write load, comes back, and is asked."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.caches import own_redis
from tests.support.databases import fresh_database
from tests.support.doors import rest_door
from tests.support.ledger import Ledger, Writers, writing
from tests.support.proxy import proxied
from tests.support.served import Served, served
from tests.support.servers import own_server

TWO_CROWDS = "50 writers, 2 processes"


@dataclass(frozen=True)
class Outcome:
    """What was seen; seconds throughout."""

    scene: str
    backend: str
    ledger: Ledger
    first_success: float | None = None
    ready_503: float | None = None
    ready_again: float | None = None
    live: frozenset[int] = frozenset({200})
    same_workers: bool = True
    integrity: str = "ok"

    @property
    def slowest_while_away(self) -> float:
        return self.ledger.slowest_refusal


class Doctor:
    """Asks after a service's health throughout an outage."""

    def __init__(self, service: Served) -> None:
        self._service = service
        self.live: set[int] = set()
        self.ready: list[tuple[float, int]] = []
        self._task = asyncio.create_task(self._watch())

    def first(self, status: int, after: float) -> float | None:
        """Seconds from ``after`` until readiness had that status."""
        return min(
            (at - after for at, was in self.ready if was == status and at > after), default=None
        )

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            self.live.add(await self._service.health("live"))
            ready = await self._service.health("ready")
            self.ready.append((time.monotonic(), ready))
            await asyncio.sleep(0.1)


class Scene:
    """One outage: load before, during and after it, and a doctor who asks throughout."""

    def __init__(self, name: str, backend: str, service: Served) -> None:
        self._name, self._backend, self._service = name, backend, service
        self._workers = service.workers
        self._doctor = Doctor(service)
        self._died = self.back = time.monotonic()
        self._writers: Writers | None = None

    def died(self) -> None:
        self._died = time.monotonic()

    @asynccontextmanager
    async def under_load(self, seconds: float) -> AsyncIterator[None]:
        """Writers write for ``seconds`` before the block, throughout, and as long after it."""
        async with writing(self._service) as self._writers:
            await asyncio.sleep(seconds)
            yield
            await asyncio.sleep(seconds)
            await self._doctor.leave()

    async def outcome(self) -> Outcome:
        """Look everything up that was acknowledged, and tell what was seen."""
        assert self._writers is not None
        await _read_back(self._service, self._writers)
        return Outcome(
            self._name,
            self._backend,
            self._writers.ledger,
            first_success=self._writers.ledger.first_success_after(self.back),
            ready_503=self._doctor.first(503, self._died),
            ready_again=self._doctor.first(200, self.back),
            live=frozenset(self._doctor.live),
            same_workers=self._service.workers == self._workers,
        )


async def database_killed(backend: str, *, away: float, load: float) -> Outcome:
    """kill -9 of the database server under load; ``away`` and ``load`` are seconds."""
    async with own_server(backend) as server, served(server.url()) as service:
        scene = Scene("database killed", backend, service)
        async with scene.under_load(load):
            server.kill()
            scene.died()
            await asyncio.sleep(away)
            scene.back = await server.start()
        return await scene.outcome()


async def database_swallowed(backend: str, *, away: float, load: float) -> Outcome:
    """A network that drops every packet between the service and its database, under load."""
    async with (
        own_server(backend) as server,
        proxied("127.0.0.1", server.port) as proxy,
        served(server.url(port=proxy.port)) as service,
    ):
        scene = Scene("black hole", backend, service)
        async with scene.under_load(load):
            proxy.mode = "black-hole"
            scene.died()
            await asyncio.sleep(away)
            proxy.cut()  # what was swallowed is gone
            proxy.mode = "pass"
            scene.back = time.monotonic()
        return await scene.outcome()


async def worker_killed(backend: str, *, load: float) -> Outcome:
    """kill -9 of one of two workers under load."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_some_database(backend))
        redis = await stack.enter_async_context(own_redis())
        more = {"WORKERS": "2", "REDIS_URL": redis.url}
        service = await stack.enter_async_context(served(url, **more))
        async with writing(service) as writers:
            await asyncio.sleep(load)
            died = time.monotonic()
            os.kill(service.workers[0], signal.SIGKILL)
            await asyncio.sleep(load)
        await _read_back(service, writers)
        first = writers.ledger.first_success_after(died)
        return Outcome("worker killed", backend, writers.ledger, first)


async def two_crowds_on_sqlite(*, load: float) -> Outcome:
    """Fifty writers at two processes with one SQLite file between them."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_some_database("sqlite"))
        redis = await stack.enter_async_context(own_redis())
        more = {"WORKERS": "2", "REDIS_URL": redis.url}
        service = await stack.enter_async_context(served(url, **more))
        async with writing(service, clients=50) as writers:
            await asyncio.sleep(load)
        await _read_back(service, writers)
        return Outcome(TWO_CROWDS, "sqlite", writers.ledger)


def may_mount() -> bool:
    """Whether a small disk can be made to fill up; it takes root's rights."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


async def disk_filled(*, away: float, load: float) -> Outcome:
    """Somebody fills the disk under an SQLite file, and later makes room again."""
    with _small_disk() as folder:
        async with served(f"sqlite://{folder}/arcana.db") as service:
            scene = Scene("disk full", "sqlite", service)
            async with scene.under_load(load):
                ballast = folder / "ballast"
                _fill(ballast)
                scene.died()
                await asyncio.sleep(away)
                ballast.unlink()
                scene.back = time.monotonic()
            outcome = await scene.outcome()
        with closing(sqlite3.connect(folder / "arcana.db")) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    return replace(outcome, integrity=str(said))


@contextmanager
def _small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="arcana-disk-") as folder:
        options = ["-t", "tmpfs", "-o", "size=16m", "tmpfs", folder]
        subprocess.run(["mount", *options], check=True, capture_output=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True, capture_output=True)


def _fill(ballast: Path) -> None:
    """Write until nothing fits any more."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


async def _read_back(service: Served, writers: Writers) -> None:
    """Look the ledger up at fresh connections."""
    async with rest_door(service.http_port) as rest:
        await writers.check(rest)


@asynccontextmanager
async def _some_database(backend: str) -> AsyncIterator[str]:
    if backend == "sqlite":
        with fresh_database("sqlite", migrated=False) as url:
            yield url
        return
    async with own_server(backend) as server:
        yield server.url()
