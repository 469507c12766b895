"""Caches for tests: in real Redis under a prefix of the test's own, and a Redis to mistreat."""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest

from service.infra.cache import RedisCache

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
PATIENT = timedelta(seconds=5)
"""A time-out for tests that are not about time-outs, on machines with much else to do."""


@asynccontextmanager
async def shared_redis(**options: object) -> AsyncIterator[RedisCache]:
    """A cache under a random prefix in the Redis that is there; the prefix is empty afterwards."""
    settings = {"prefix": f"test:{uuid4().hex}:", "timeout": PATIENT} | options
    cache = RedisCache(REDIS_URL, **settings)  # type: ignore[arg-type]  # a dict of options
    try:
        if not await cache.ping():
            pytest.skip("no Redis at TEST_REDIS_URL; start one with: redis-server --save ''")
        yield cache
    finally:
        await cache.delete_prefix("")
        await cache.close()


class OwnRedis:
    """A Redis server of one test, which may stop it, freeze it and start it again."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._folder = tempfile.mkdtemp(prefix="arcana-redis-")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder]
        self._process = await asyncio.create_subprocess_exec(
            *["redis-server", *options, "--save", "", "--appendonly", "no"],
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(10):
            while not await self._answers():
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def remove(self) -> None:
        await self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        writer.close()
        return answer == b"+PONG\r\n"


@asynccontextmanager
async def own_redis() -> AsyncIterator[OwnRedis]:
    """A running server that only this test knows."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    server = OwnRedis()
    try:
        await server.start()
        yield server
    finally:
        await server.remove()
