"""The database as the rest of the service sees it: connect, ping, transactions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final, cast

import tortoise.context
from tortoise.backends.base import executor
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext

from service.core.ports import Work
from service.infra.database.guard import DatabaseUnavailable, Guarded, Load
from service.infra.database.transactions import Scope
from service.infra.database.url import Dialect, read_url
from service.infra.database.work import Unit, under_way
from service.infra.finishing import to_the_end

APP: Final = "arcana"
CONNECTION: Final = "default"
MODELS: Final = (
    "service.users.models",
    "service.roles.models",
    "service.auth.models",
    "service.changes.models",
    "service.idempotency.models",
    "service.keys.models",
    "service.api_keys.models",
    "service.clients.models",
    "service.leases.models",
    "service.events.models",
    "service.orders.models",
    "service.webhooks.models",
    "service.notifications.models",
    "aerich.models",
)

_connected: "Database | None" = None


class Database:
    """One database, reached through Tortoise; a process has at most one connected at a time.

    That one is Tortoise's for every task: models and repositories find it by themselves, and
    inside ``transaction`` they find the transaction.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        connect_timeout: float = 5.0,
        pool_timeout: float = 10.0,
        command_timeout: float = 10.0,
        prepares: bool = True,
    ) -> None:
        """Time-outs are in seconds: opening a connection, waiting for one, and a command in all.

        ``prepares`` keeps prepared statements in PostgreSQL's connections.

        Raises:
            ValueError: ``url`` is not a database URL; the message does not repeat it.
        """
        self._target = read_url(url)
        self._pool_size = pool_size
        self._connect_timeout, self._pool_timeout = connect_timeout, pool_timeout
        self._command_timeout, self._prepares = command_timeout, prepares
        self._context: TortoiseContext | None = None
        self._pool: Guarded | None = None

    @property
    def dialect(self) -> Dialect:
        return self._target.dialect

    @property
    def is_memory(self) -> bool:
        return self._target.is_memory

    @property
    def file(self) -> str | None:
        """The file of an SQLite database; None for the others."""
        return cast("str | None", self._target.credentials.get("file_path"))

    @property
    def is_connected(self) -> bool:
        return self._context is not None

    @property
    def load(self) -> Load:
        """How busy the pool is."""
        return self._pool.load if self._pool else Load()

    @property
    def is_away(self) -> bool:
        """Whether commands are refused unasked; an embedded database is never away."""
        watch = self._pool.watch if self._pool else None
        return watch is not None and watch.is_away

    @property
    def client(self) -> Guarded:
        """What raw SQL runs on; inside a transaction, that transaction."""
        return cast(Guarded, get_connection(CONNECTION))

    async def connect(self) -> None:
        """Open the pool and hand it to Tortoise.

        Raises:
            DatabaseUnavailable: it cannot be reached, or refuses us; ``reason`` says which.
            RuntimeError: another database is connected in this process.
        """
        self._claim()
        context = self._context = TortoiseContext()
        try:
            with context:  # for models to find it now; later they find the global one
                await context.init(self.tortoise_config(), _enable_global_fallback=True)
            executor.EXECUTOR_CACHE.clear()  # SQL of the last database, maybe of another kind
            self._pool = cast(Guarded, context.connections.get(CONNECTION))
            await self._pool.create_connection(with_db=True)
        except BaseException:
            await to_the_end(self.close())
            raise

    async def close(self) -> None:
        """Close the pool; harmless when it is closed."""
        global _connected
        context, self._context, self._pool = self._context, None, None
        try:
            if context is not None:
                await context.close_connections()
        finally:
            if _connected is self:
                _connected = None

    async def ping(self, timeout: float = 1.0) -> None:
        """See that the database answers within ``timeout`` seconds, however busy the pool is.

        Raises:
            DatabaseUnavailable: it does not.
        """
        pool = self._open_pool()
        if pool.watch is not None:
            if not await pool.watch.answers(timeout):
                raise DatabaseUnavailable("away", undone=True)
            return
        try:
            async with asyncio.timeout(timeout):
                await pool.execute_query("SELECT 1")
        except TimeoutError:
            raise DatabaseUnavailable("TimeoutError") from None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Work]:
        """Begin a transaction, or take part in the one that is under way.

        What was handed to ``after_commit`` runs once the outermost block has committed, in
        order, also when the caller is cancelled at that moment. When an inner block fails the
        outer cannot commit, even if it catches the error: the databases differ in what is left.

        Raises:
            DatabaseUnavailable: the database was lost; whether a commit was done is not known.
            TransactionManagementError: a part failed and the whole was to be committed.
        """
        outer = under_way()
        if outer is not None:
            with outer.part():
                yield outer
            return
        unit, scope = Unit(), cast(Scope, self._open_pool()._in_transaction())
        try:
            async with scope:
                with unit.whole():
                    yield unit
        finally:
            if scope.committed and unit.actions:
                await to_the_end(unit.run_actions())

    def engine(self, *, pool_size: int, command_timeout: float) -> Guarded:
        """A client of its own, unknown to Tortoise and not yet connected; migrations use it."""
        settings = self._credentials(pool_size, command_timeout)
        if self.dialect != "sqlite":
            settings["pool_timeout"] = command_timeout
        module = import_module(self._engine_module)
        return cast(Guarded, module.client_class(connection_name=CONNECTION, **settings))

    def tortoise_config(self) -> dict[str, Any]:
        """What Tortoise is told; it holds the password, so never show it."""
        credentials = self._credentials(self._pool_size, self._command_timeout)
        if self.dialect == "sqlite":
            credentials["reads_beside"] = True
        engine = {"engine": self._engine_module, "credentials": credentials}
        return {
            "connections": {CONNECTION: engine},
            "apps": {APP: {"models": list(MODELS), "default_connection": CONNECTION}},
            "use_tz": True,
            "timezone": "UTC",
        }

    @property
    def _engine_module(self) -> str:
        return f"service.infra.database.{self.dialect}"

    def _credentials(self, pool_size: int, command_timeout: float) -> dict[str, Any]:
        settings = {**self._target.credentials, "command_timeout": command_timeout}
        if self.dialect != "sqlite":
            settings |= {
                "maxsize": pool_size,
                "connect_timeout": self._connect_timeout,
                "pool_timeout": self._pool_timeout,
            }
        if self.dialect == "postgres":
            settings["prepares"] = self._prepares
        return settings

    def _open_pool(self) -> Guarded:
        if self._pool is None:
            raise DatabaseUnavailable("not connected", undone=True)
        return self._pool

    def _claim(self) -> None:
        global _connected
        if _connected is not None and not _connected._forget_if_dead():
            raise RuntimeError("A database is connected in this process; close it first.")
        _connected = self

    def _forget_if_dead(self) -> bool:
        """Let go of a pool whose event loop has closed: nothing can close it properly any more."""
        loop = self._pool._bound_loop if self._pool else None
        if loop is None or not loop.is_closed():
            return False
        if tortoise.context._global_context is self._context:
            tortoise.context._global_context = None
        self._context = self._pool = None
        return True
