"""Transactions that survive being cancelled: whole or not at all, and their connection is safe."""

import asyncio
from itertools import count
from typing import Any

from tortoise.backends.base.client import TransactionalDBClient, TransactionContext
from tortoise.connection import ConnectionHandler, ConnectionToken
from tortoise.context import get_current_context
from tortoise.exceptions import TransactionManagementError

from service.core.errors import Unavailable
from service.infra.database.guard import DatabaseUnavailable, Guarded, span_of
from service.infra.finishing import to_the_end

_savepoints = count()


class Transaction(Guarded, TransactionalDBClient):
    """The client of one transaction, with a connection of its own until the end.

    Invariant: once a command was cancelled or lost its database, nothing more runs in it and it
    cannot commit; some databases would run the rest each by itself. Once ended it runs nothing,
    so a task that outlives it cannot write into another's connection.
    """

    BEGIN = "BEGIN"
    is_broken = False

    async def borrow(self) -> Any:
        """Take a connection from the parent, for nobody else to use."""
        raise NotImplementedError

    async def give_back(self, *, clean: bool) -> None:
        """Return the connection; one that is not ``clean`` is never used again as it is."""
        raise NotImplementedError

    async def control(self, statement: str) -> str:
        """Run BEGIN, COMMIT and the like; what the database calls what it did."""
        raise NotImplementedError

    async def guard(self, command: Any, *args: Any, **kwargs: Any) -> Any:
        if self._finalized or self.is_broken:
            raise TransactionManagementError("This transaction is over.")
        try:
            return await super().guard(command, *args, **kwargs)
        except (asyncio.CancelledError, Unavailable):
            self.is_broken = True
            raise

    async def attempt(self, query: str, command: Any, *args: Any, **kwargs: Any) -> Any:
        """Nothing is run again inside a transaction, and nothing stays of one that ends here."""
        with span_of(query):
            return await self.guard(command, *args, **kwargs)

    async def begin(self) -> None:
        """Begin, once more on a fresh connection when the first was found broken."""
        try:
            return await self._begin()
        except DatabaseUnavailable as failure:
            if not failure.lost:
                raise
        return await self._begin()

    async def _begin(self) -> None:
        if not self._parent.is_open:  # type: ignore[attr-defined]  # a pool of ours
            raise DatabaseUnavailable("closed", undone=True)
        self._finalized = self.is_broken = False
        self._connection = await super().guard(self.borrow)
        try:
            await self.guard(self.control, self.BEGIN)
        except BaseException:
            await to_the_end(self.end(clean=False))
            raise

    async def commit(self) -> None:
        """Raises:
        DatabaseUnavailable: the database was lost; whether it committed is not known.
        TransactionManagementError: an earlier statement failed, and PostgreSQL rolled back.
        """
        try:
            with span_of("COMMIT"):
                answer = await self.guard(self.control, "COMMIT")
        except DatabaseUnavailable as failure:
            failure.of_a_write()
            raise
        if answer == "ROLLBACK":
            self._finalized = True
            raise TransactionManagementError("A statement had failed; all was rolled back.")
        self._finalized = True

    async def rollback(self) -> None:
        await self.guard(self.control, "ROLLBACK")
        self._finalized = True

    async def end(self, *, clean: bool) -> None:
        self._finalized = True
        await self.give_back(clean=clean)

    async def savepoint(self) -> None:
        raise NotImplementedError("A Savepoint does this.")

    savepoint_rollback = release_savepoint = savepoint

    def _in_transaction(self) -> TransactionContext:
        return Savepoint(self)


class Scope(TransactionContext):
    """A transaction from BEGIN to its end; ``committed`` says how it ended, even when cancelled."""

    client: Transaction

    def __init__(self, client: Transaction) -> None:
        self.client = client
        self.committed = False
        self._handler: ConnectionHandler | None = None
        self._token: ConnectionToken | None = None

    async def __aenter__(self) -> TransactionalDBClient:
        await self.client.begin()
        if context := get_current_context():
            self._handler = context.connections
            self._token = self._handler.set(self.client.connection_name, self.client)
        return self.client

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if self._handler:
            self._handler.reset(self._token)
        await to_the_end(self._end(keep=kind is None))

    async def _end(self, *, keep: bool) -> None:
        clean = False
        try:
            if self.client._finalized:
                clean = True
            elif keep:
                await self.client.commit()
                clean = self.committed = True
            else:
                clean = await self._rolled_back()
        finally:
            await self.client.end(clean=clean)

    async def _rolled_back(self) -> bool:
        if self.client.is_broken:
            return False
        try:
            await self.client.rollback()
        except Exception:  # noqa: BLE001  # the one that ended the block is the one to be seen
            return False  # without its connection the database rolls back by itself
        return True


class Savepoint(TransactionContext):
    """A part of a transaction that may fail alone; Tortoise's ``get_or_create`` wants it."""

    client: Transaction

    def __init__(self, client: Transaction) -> None:
        self.client = client
        self._name = f"arcana_{next(_savepoints)}"

    async def __aenter__(self) -> TransactionalDBClient:
        await self._control("SAVEPOINT")
        return self.client

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await self._control("RELEASE SAVEPOINT")
        elif not (self.client.is_broken or self.client._finalized):
            await to_the_end(self._control("ROLLBACK TO SAVEPOINT"))

    async def _control(self, verb: str) -> None:
        await self.client.guard(self.client.control, f"{verb} {self._name}")
