"""Our own engine for SQLite: one lane that writes, one that reads, whole transactions."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tortoise.backends.base.client import TransactionContext
from tortoise.backends.sqlite.client import SqliteClient as TortoiseClient
from tortoise.backends.sqlite.client import SqliteTransactionWrapper
from tortoise.exceptions import IntegrityError, TransactionManagementError

from service.infra.database import lane
from service.infra.database.guard import DatabaseUnavailable, Guarded, Load, bug, is_read
from service.infra.database.lane import Connection, Lane
from service.infra.database.transactions import Scope, Transaction
from service.infra.database.url import MEMORY
from service.infra.database.violations import from_sqlite

T = TypeVar("T")
Rows = tuple[int, Sequence[Any]]

_BUSY_SECONDS = 5.0
"""How long one process waits for another's write."""
_NAP = 0.001
"""SQLite's own waiting sleeps up to 0.1 s at a time, and never meets a busy neighbour idle."""
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
_UNDONE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
}
_AWAY = _UNDONE | {sqlite3.SQLITE_IOERR}


class _Sqlite(Guarded):
    """How both our clients run statements, and name SQLite's errors."""

    def translate(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.IntegrityError):
            return IntegrityError(from_sqlite(str(error)))
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _AWAY or isinstance(error, OSError | TimeoutError):
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            return DatabaseUnavailable(name, undone=code in _UNDONE)
        # SQLite's messages name tables, columns and words of the SQL; parameters travel apart.
        return bug(error, str(error) if isinstance(error, sqlite3.OperationalError) else "")

    async def in_turn(self, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        """Run ``work`` on a connection, after those who asked before."""
        raise NotImplementedError

    def bind(self, value: Any) -> Any:
        """Instants as text of one width, so that their order is that of time."""
        value = super().bind(value)
        return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        bound = self.bound(values)

        def insert(connection: Connection) -> Any:
            return _execute(connection, query, bound).lastrowid

        return await self.attempt(query, self.in_turn, insert)

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        rows = [self.bound(row) for row in values]
        await self.attempt(query, self.in_turn, partial(_many, query=query, values=rows))

    async def execute_query(self, query: str, values: list[Any] | None = None) -> Rows:
        work = partial(_query, query=query, values=self.bound(values))
        return await self.attempt(query, self.in_turn, work, reads=is_read(query))

    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        return [dict(row) for row in (await self.execute_query(query, values))[1]]

    async def execute_script(self, query: str) -> None:
        def run(connection: Connection) -> None:
            for statement in statements(query):
                _execute(connection, statement)

        await self.attempt(query, self.in_turn, run)


class SqliteClient(_Sqlite, TortoiseClient):
    """A lane for everything that writes and, with ``reads_beside``, one for reads beside it.

    In WAL a reader sees the last commit and waits for no writer, nor for its disk.
    """

    def __init__(
        self, *, command_timeout: float, reads_beside: bool = False, **settings: Any
    ) -> None:
        # A write may wait for its turn here, and then for another process.
        self._run_timeout = command_timeout + _BUSY_SECONDS
        super().__init__(command_timeout=lane.PATIENCE + self._run_timeout, **settings)
        self._reads_beside = reads_beside and self.filename != MEMORY
        self.writer = self.reader = Lane("sqlite", self._run_timeout)

    @property
    def load(self) -> Load:
        lanes = {self.writer, self.reader}
        busy, waiting = (
            sum(of) for of in zip(*((e.is_busy, e.waiting) for e in lanes), strict=True)
        )
        return Load(len(lanes), busy, waiting)

    async def create_connection(self, with_db: bool) -> None:
        async def connect() -> None:
            await self.writer.open(partial(_open_for_writing, self.filename))
            if self._reads_beside:
                self.reader = Lane("sqlite-reads", self._run_timeout)
                await self.reader.open(partial(_open_for_reading, self.filename))
            await self._post_connect()

        await self.guard(connect)

    async def close(self) -> None:
        self.is_open = False
        await self.writer.close()
        if self.reader is not self.writer:
            await self.reader.close()

    def abandon(self) -> None:
        """Close without the event loop, which has died."""
        for each in {self.writer, self.reader}:
            each.abandon()

    async def in_turn(self, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        chosen = self.reader if reads else self.writer
        await chosen.enter()
        try:
            return await chosen.run(work)
        finally:
            chosen.leave()

    def _in_transaction(self) -> TransactionContext:
        return Scope(SqliteTransaction(self))


class SqliteTransaction(Transaction, _Sqlite, SqliteTransactionWrapper):
    """A transaction that holds the one connection; it takes the write lock at once.

    A transaction that began as a reader could fail when it first writes, and no waiting helps.
    """

    BEGIN = "BEGIN IMMEDIATE"

    def __init__(self, parent: SqliteClient) -> None:
        SqliteTransactionWrapper.__init__(self, parent)
        self._client = parent
        self.command_timeout = parent.command_timeout

    async def borrow(self) -> Any:
        await self._client.writer.enter()
        return self._client.writer.connection

    async def give_back(self, *, clean: bool) -> None:
        try:
            if not clean and self._connection is not None:
                await self._client.writer.run(Connection.rollback)
        finally:
            self._client.writer.leave()

    async def control(self, statement: str) -> str:
        if statement == self.BEGIN:
            await self._client.writer.run(partial(_query, query=statement, values=[]))
        else:
            await self.in_turn(partial(_query, query=statement, values=[]))
        return statement

    async def in_turn(self, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        async with self._lock:
            return await self._client.writer.run(partial(_within, work=work))


def _open(path: str) -> Connection:
    if path != MEMORY:
        _make_private(Path(path))
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=_BUSY_SECONDS, factory=Connection
    )
    connection.row_factory = sqlite3.Row
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _make_private(path: Path) -> None:
    """Make the file of a new database so that only its owner reads it: it will hold hashes.

    One that is there is never opened here: to close it would drop the locks of every connection
    this process has to it, and another process could then take the log away under them
    (sqlite.org/howtocorrupt.html §2.2).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _open_for_writing(path: str) -> Connection:
    connection = _open(path)
    connection.execute("PRAGMA busy_timeout=0")  # we wait ourselves
    return connection


def _open_for_reading(path: str) -> Connection:
    connection = _open(path)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _execute(connection: Connection, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
    """Run a statement; one that found another process writing did nothing, and is run again."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return connection.execute(query, values)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            in_vain = connection.in_transaction or connection.is_given_up
            if not busy or in_vain or time.monotonic() > until:
                raise
        time.sleep(_NAP)


def _query(connection: Connection, query: str, values: Sequence[Any]) -> Rows:
    """Rows changed, and rows read. ``rowcount`` leaves out what a foreign key's cascade did."""
    cursor = _execute(connection, query, values)
    rows = cursor.fetchall()
    return (cursor.rowcount if cursor.rowcount >= 0 else len(rows)), rows


def _many(connection: Connection, query: str, values: Sequence[Sequence[Any]]) -> None:
    if connection.in_transaction:
        connection.executemany(query, values)
        return
    _execute(connection, SqliteTransaction.BEGIN)
    try:
        connection.executemany(query, values)
        connection.commit()
    finally:
        connection.rollback()


def _within(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Run ``work`` only while the transaction lives: some errors make SQLite end it by itself."""
    if not connection.in_transaction:
        raise TransactionManagementError("SQLite has rolled this transaction back.")
    return work(connection)


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one; Python's own ``executescript`` commits first."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""


client_class = SqliteClient
