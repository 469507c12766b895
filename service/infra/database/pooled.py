"""What the engines with a pool share: who waits for a connection, who opens one, who is told."""

import asyncio
import time
from types import TracebackType
from typing import Any

from service.core.metrics import POOL_TIMEOUTS, POOL_WAIT
from service.infra.database.guard import DatabaseUnavailable, Guarded, Load
from service.infra.database.watch import Watch

RELEASE_SECONDS = 0.25
"""How long a connection that was given up may take to say so before it is cut."""


class Pooled(Guarded):
    """A client over a driver's pool.

    Waiting for a connection, opening one and running a command have each a time-out of its own,
    and ``command_timeout`` bounds the three together. Invariant: whoever holds a slot finds a
    connection in the pool or the room to open one, so no wait hides inside the driver.
    """

    watch: Watch

    def __init__(
        self, *, maxsize: int, connect_timeout: float, pool_timeout: float, **settings: Any
    ) -> None:
        super().__init__(maxsize=maxsize, **settings)
        self._slots = asyncio.Semaphore(maxsize)
        self._size, self._in_use, self._waiting = maxsize, 0, 0
        self._connect_timeout, self._pool_timeout = connect_timeout, pool_timeout
        self.watch = Watch(self.probe, self.forget_idle, timeout=connect_timeout)

    @property
    def load(self) -> Load:
        return Load(self._size, self._in_use, self._waiting)

    async def probe(self) -> None:
        """Open a connection beside the pool and ask it something; raises when that fails."""
        raise NotImplementedError

    def forget_idle(self) -> None:
        """Cut the connections that nobody uses; the next command opens another."""
        raise NotImplementedError

    async def _check_out(self, pool: Any) -> Any:
        raise NotImplementedError

    async def _check_in(self, pool: Any, connection: Any) -> None:
        raise NotImplementedError

    async def take(self) -> "Lease":
        """A connection for the caller alone, to be given back.

        Raises:
            DatabaseUnavailable: none is free in time, or none can be opened; nothing was asked
                of the database.
        """
        pool: Any = self._pool
        if pool is None:
            raise DatabaseUnavailable("closed", undone=True)
        await self._enter()
        try:
            async with asyncio.timeout(self._connect_timeout):
                return Lease(self, pool, await self._check_out(pool))
        except asyncio.CancelledError:
            self._leave()
            raise
        except Exception as error:  # noqa: BLE001  # drivers raise all kinds
            self._leave()
            failure = self._named(error)
        if isinstance(failure, DatabaseUnavailable):
            failure.lost, failure.undone = False, True
        raise failure

    def acquire_connection(self) -> Any:
        return _Borrowed(self)

    async def return_(self, lease: "Lease") -> None:
        try:
            await self._check_in(lease.pool, lease.connection)
        finally:
            self._leave()

    async def _enter(self) -> None:
        """Take a slot; whoever finds one free does not wait, not even for the loop.

        Raises:
            DatabaseUnavailable: none is free in time.
        """
        if self._slots.locked():
            await self._wait()
        else:
            await self._slots.acquire()
        self._in_use += 1

    async def _wait(self) -> None:
        began = time.perf_counter()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._pool_timeout):
                await self._slots.acquire()
        except TimeoutError:
            POOL_TIMEOUTS.add()
            raise DatabaseUnavailable("PoolBusy", undone=True) from None
        finally:
            self._waiting -= 1
        POOL_WAIT.observe(time.perf_counter() - began)

    def _leave(self) -> None:
        self._in_use -= 1
        self._slots.release()


class Lease:
    """A connection that was taken, and the pool it came from."""

    __slots__ = ("_client", "connection", "pool")

    def __init__(self, client: Pooled, pool: Any, connection: Any) -> None:
        self._client, self.pool, self.connection = client, pool, connection

    async def give_back(self) -> None:
        await self._client.return_(self)


class _Borrowed:
    """A connection for the length of a block."""

    def __init__(self, client: Pooled) -> None:
        self._client = client
        self._lease: Lease | None = None

    async def __aenter__(self) -> Any:
        self._lease = await self._client.take()
        return self._lease.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self._lease is not None:
            await self._lease.give_back()
