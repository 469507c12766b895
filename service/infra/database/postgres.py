"""Tortoise's engine for PostgreSQL, over asyncpg."""

import asyncio
from typing import Any, cast

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionContext
from tortoise.exceptions import IntegrityError

from service.infra.database.guard import DatabaseUnavailable, Guarded, bug
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
)


class _Postgres(Guarded):
    """How both our clients name asyncpg's errors."""

    def translate(self, error: Exception) -> Exception:
        if isinstance(error, asyncpg.IntegrityConstraintViolationError):
            name = cast("str | None", getattr(error, "constraint_name", None))
            return IntegrityError(from_postgres(error.sqlstate, name))
        # asyncpg calls a parameter of the wrong type an interface error, too.
        if isinstance(error, _AWAY) and not isinstance(error, asyncpg.DataError | ValueError):
            return DatabaseUnavailable(type(error).__name__)
        # Class 42 is about SQL and names of the schema; its parameters travel apart from it.
        said = str(error) if isinstance(error, asyncpg.SyntaxOrAccessError) else ""
        return bug(error, said)


class PostgresClient(_Postgres, AsyncpgDBClient):
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, *, connect_timeout: float, tls: Any, **settings: Any) -> None:
        super().__init__(**settings, timeout=connect_timeout, ssl=tls, reset=_keep)
        self._connect_timeout = connect_timeout

    async def create_connection(self, with_db: bool) -> None:
        async def connect() -> None:
            async with asyncio.timeout(self._connect_timeout):
                await super(PostgresClient, self).create_connection(with_db)

        await self.guard(connect)

    async def execute_many(self, query: str, values: list[Any]) -> None:
        """Insert many rows, all or none: asyncpg's own ``executemany`` is atomic."""

        async def run() -> None:
            async with self.acquire_connection() as connection:
                await connection.executemany(query, [self.bound(row) for row in values])

        await self.guard(run)

    async def close(self) -> None:
        self.is_open = False
        await super().close()

    def _in_transaction(self) -> TransactionContext:
        return Scope(PostgresTransaction(self))


async def _keep(connection: Any) -> None:
    """Spare the query by which asyncpg resets what a session set: ours set nothing."""


class PostgresTransaction(Transaction, _Postgres, TransactionWrapper):
    """A transaction on one connection of the pool, READ COMMITTED as PostgreSQL's default is."""

    def __init__(self, parent: PostgresClient) -> None:
        TransactionWrapper.__init__(self, parent)
        self._asyncpg_pool: Any = parent._pool
        self.command_timeout = parent.command_timeout

    async def borrow(self) -> Any:
        return await self._asyncpg_pool.acquire()

    async def give_back(self, *, clean: bool) -> None:
        if not clean:
            try:
                self._connection.terminate()
            except asyncpg.InterfaceError:
                return  # it died, and the pool has let go of it already
        await self._asyncpg_pool.release(self._connection)

    async def control(self, statement: str) -> str:
        return str(await self._connection.execute(statement))


client_class = PostgresClient
