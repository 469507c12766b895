"""One SQLite connection in one thread, used by one task at a time."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.core.metrics import POOL_TIMEOUTS, POOL_WAIT
from service.infra.database.guard import DatabaseUnavailable
from service.infra.finishing import to_the_end

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that a task waits for its turn: fifty writers on a slow disk want some."""


class Connection(sqlite3.Connection):
    """``is_given_up`` tells the thread that nobody waits for its work any more."""

    is_given_up = False


class Lane:
    """A connection, its thread, and the lock of whoever uses it.

    Invariant: the lock is held until the thread is done, also when the task that holds it is
    cancelled; so nobody meets another's statement half run.
    """

    def __init__(self, name: str, timeout: float) -> None:
        """``timeout`` is how many seconds one piece of work may take, without the wait for it."""
        self.connection: Connection | None = None
        self.waiting = 0
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    @property
    def is_busy(self) -> bool:
        return self._lock.locked()

    async def open(self, make: Callable[[], Connection]) -> None:
        loop = asyncio.get_running_loop()
        self.connection = await loop.run_in_executor(self._thread, make)

    async def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            async with self._lock:
                await asyncio.get_running_loop().run_in_executor(self._thread, connection.close)
        self._thread.shutdown(wait=False)

    def abandon(self) -> None:
        """Close without the event loop, which has died."""
        if self.connection is not None:
            self._thread.submit(self.connection.close).result()
        self._thread.shutdown()

    async def enter(self) -> None:
        """Wait for one's turn; ``leave`` ends it.

        Raises:
            DatabaseUnavailable: it does not come; nothing was done.
        """
        began, waits = time.perf_counter(), self._lock.locked()
        self.waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self._lock.acquire()
        except TimeoutError:
            POOL_TIMEOUTS.add()
            raise DatabaseUnavailable("LaneBusy", undone=True) from None
        finally:
            self.waiting -= 1
        if waits:
            POOL_WAIT.observe(time.perf_counter() - began)

    def leave(self) -> None:
        self._lock.release()

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one's turn; who is cancelled interrupts it and waits for its end."""
        connection = self.connection
        if connection is None:
            raise DatabaseUnavailable("closed", undone=True)
        connection.is_given_up = False
        done = asyncio.get_running_loop().run_in_executor(self._thread, work, connection)
        async with asyncio.timeout(self._timeout):
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:
                connection.is_given_up = True
                connection.interrupt()
                await to_the_end(_settled(done))
                raise


async def _settled(done: asyncio.Future[Any]) -> None:
    await asyncio.wait((done,))
    if not done.cancelled():
        done.exception()
