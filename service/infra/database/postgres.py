"""Tortoise's engine for PostgreSQL, over asyncpg."""

import socket
from contextlib import suppress
from typing import Any, Final, cast

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionContext
from tortoise.exceptions import IntegrityError

from service.infra.database.guard import DatabaseUnavailable, Guarded, bug
from service.infra.database.pooled import RELEASE_SECONDS, Pooled
from service.infra.database.transactions import Scope, Transaction
from service.infra.database.violations import from_postgres

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # the pool or the connection is closed
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, cancelled
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TransactionRollbackError,  # a deadlock
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a primary that became a replica
)
_LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""Another connection may fare better. A ``TimeoutError`` is an ``OSError``, and is not meant."""

_KEEPALIVE: Final = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 3,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 20_000,
}
"""Seconds, seconds, probes and milliseconds until the kernel gives up a peer that says nothing."""


class _Postgres(Guarded):
    """How both our clients name asyncpg's errors."""

    def translate(self, error: Exception) -> Exception:
        if isinstance(error, asyncpg.IntegrityConstraintViolationError):
            name = cast("str | None", getattr(error, "constraint_name", None))
            return IntegrityError(from_postgres(error.sqlstate, name))
        # asyncpg calls a parameter of the wrong type an interface error, too.
        if isinstance(error, _AWAY) and not isinstance(error, asyncpg.DataError | ValueError):
            lost = isinstance(error, _LOST) and not isinstance(error, TimeoutError)
            said_so = isinstance(error, asyncpg.PostgresError) and not isinstance(
                error, asyncpg.PostgresConnectionError
            )
            return DatabaseUnavailable(type(error).__name__, lost=lost, undone=said_so)
        # Class 42 is about SQL and names of the schema; its parameters travel apart from it.
        said = str(error) if isinstance(error, asyncpg.SyntaxOrAccessError) else ""
        return bug(error, said)


class PostgresClient(_Postgres, Pooled, AsyncpgDBClient):
    """A pool of connections to one PostgreSQL database.

    ``prepares`` is off behind a pooler that gives each transaction another connection.
    """

    def __init__(
        self, *, connect_timeout: float, tls: Any, prepares: bool, **settings: Any
    ) -> None:
        self._options = {"ssl": tls, "timeout": connect_timeout}
        if not prepares:
            self._options["statement_cache_size"] = 0
        super().__init__(
            connect_timeout=connect_timeout,
            **settings,
            **self._options,
            minsize=0,  # asyncpg would mend the minimum in the background, with a log of its own
            init=_watched_by_the_kernel,
            reset=_keep,
        )

    async def create_connection(self, with_db: bool) -> None:
        async def connect() -> None:
            await super(PostgresClient, self).create_connection(with_db)
            await (await self.take()).give_back()

        await self.guard(connect)

    async def execute_many(self, query: str, values: list[Any]) -> None:
        """Insert many rows, all or none: asyncpg's own ``executemany`` is atomic."""

        async def run() -> None:
            async with self.acquire_connection() as connection:
                await connection.executemany(query, [self.bound(row) for row in values])

        await self.attempt(query, run)

    async def close(self) -> None:
        self.is_open = False
        await self.watch.close()
        await super().close()

    async def probe(self) -> None:
        address = {"host": self.host, "port": self.port, "user": self.user}
        connection = await asyncpg.connect(
            **address, password=self.password, database=self.database, **self._options
        )
        try:
            await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def forget_idle(self) -> None:
        pool: Any = self._pool
        for holder in pool._holders if pool is not None else ():
            if holder.is_idle():
                holder.terminate()

    async def _check_out(self, pool: Any) -> Any:
        return await pool.acquire()

    async def _check_in(self, pool: Any, connection: Any) -> None:
        with suppress(Exception):  # it is cut by now, and what became of the command counts
            await pool.release(connection, timeout=RELEASE_SECONDS)

    def _in_transaction(self) -> TransactionContext:
        return Scope(PostgresTransaction(self))


async def _keep(connection: Any) -> None:
    """Spare the query by which asyncpg resets what a session set: ours set nothing."""


async def _watched_by_the_kernel(connection: Any) -> None:
    """Have a connection that went dead at rest closed before a request meets it."""
    found = connection._transport.get_extra_info("socket")
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # each system has some of them
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class PostgresTransaction(Transaction, _Postgres, TransactionWrapper):
    """A transaction on one connection of the pool, READ COMMITTED as PostgreSQL's default is."""

    def __init__(self, parent: PostgresClient) -> None:
        TransactionWrapper.__init__(self, parent)
        self._pooled = parent
        self.command_timeout, self.watch = parent.command_timeout, parent.watch

    async def borrow(self) -> Any:
        self._lease = await self._pooled.take()
        return self._lease.connection

    async def give_back(self, *, clean: bool) -> None:
        if not clean:
            try:
                self._connection.terminate()
            except asyncpg.InterfaceError:
                pass  # it died, and the pool has let go of it already
        await self._lease.give_back()

    async def control(self, statement: str) -> str:
        return str(await self._connection.execute(statement))


client_class = PostgresClient
