"""Runs the schema's history forward and back, and keeps it in step with the models."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aerich.coder import encoder
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import OperationalError

from service.infra.database import Database
from service.infra.database.connection import APP
from service.infra.database.guard import Guarded
from service.infra.database.rows import in_dialect
from service.infra.migrations.differ import Scripts, describe, differences, load_models
from service.infra.migrations.files import (
    BY_HAND,
    FOLDER,
    Migration,
    MigrationError,
    file_name,
    read_folder,
    render,
)
from service.infra.migrations.lock import migration_lock

PATIENCE = 300.0
"""Seconds to wait for another process that migrates the same database."""
_LONGEST_STATEMENT = 3600.0
"""Seconds; to rebuild a large table takes its time."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database stands; ``unknown`` migrations are of a newer release than this one."""

    applied: list[str]
    pending: list[str]
    unknown: list[str]


def _silent(line: str) -> None:
    """Progress that nobody follows."""


class Migrator:
    """The history of one database.

    It uses connections of its own, so the database need not be connected; one in memory must.
    """

    def __init__(self, database: Database, *, folder: Path = FOLDER) -> None:
        self._database, self._folder = database, folder

    async def up(self, progress: Progress = _silent) -> list[str]:
        """Apply what is pending, one process at a time; the names of what was applied.

        Raises:
            MigrationError: one failed, or the database takes no UTF-8; the text says what to do.
            DatabaseUnavailable: the database cannot be reached.
        """
        done = []
        async with self._alone() as client:
            await _refuse_other_letters(client)
            for migration in await self._pending(client):
                await self._step(client, migration, forward=True, progress=progress)
                done.append(migration.name)
        return done

    async def down(self, steps: int = 1, progress: Progress = _silent) -> list[str]:
        """Take back the newest ``steps`` migrations; the names of what was taken back.

        Raises:
            MigrationError: one failed, or is of a newer release.
            DatabaseUnavailable: the database cannot be reached.
        """
        done = []
        known = {migration.name: migration for migration in read_folder(self._folder)}
        async with self._alone() as client:
            for name in reversed((await _applied(client))[-steps:] if steps > 0 else []):
                if name not in known:
                    raise MigrationError(f"{name} is of a newer release; use that one.")
                await self._step(client, known[name], forward=False, progress=progress)
                done.append(name)
        return done

    async def status(self) -> Status:
        """What has been applied and what has not.

        Raises:
            MigrationError: the folder cannot be read.
            DatabaseUnavailable: the database cannot be reached.
        """
        async with self._client() as client:
            applied = await _applied(client)
        known = [migration.name for migration in read_folder(self._folder)]
        return Status(
            applied=applied,
            pending=[name for name in known if name not in applied],
            unknown=[name for name in applied if name not in known],
        )

    async def pending(self) -> list[str]:
        """The names of what has not been applied; ``serve`` does not start while there are any.

        Raises:
            MigrationError: the folder cannot be read.
            DatabaseUnavailable: the database cannot be reached.
        """
        return (await self.status()).pending

    async def check(self) -> str:
        """What differs between models and migrations, a line each; empty when nothing does.

        No database is asked.

        Raises:
            MigrationError: the folder cannot be read.
        """
        history = read_folder(self._folder)
        unwritten = [line for migration in history for line in migration.unwritten()]
        actual = describe(await load_models())
        return "\n".join([*unwritten, *differences(_last_state(history), actual)])

    async def make(self, name: str) -> Path:
        """Write the migration that brings the schema to the models, for all three databases.

        What aerich cannot write for one of them is marked to be written by hand, and ``check``
        fails until it is.

        Raises:
            MigrationError: there is nothing to do, or ``name`` cannot be a file's.
        """
        history, models = read_folder(self._folder), await load_models()
        old, new = _last_state(history), describe(models)
        if not differences(old, new):
            raise MigrationError("Models and migrations agree; there is nothing to write.")
        stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
        path = self._folder / file_name(len(history), name, stamp)
        upgrade, downgrade = Scripts(models).between(old, new)
        path.write_text(render(name, upgrade, downgrade, new), encoding="utf-8")
        return path

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Guarded]:
        async with (
            self._client() as client,
            migration_lock(self._database, client, PATIENCE),
        ):
            yield client

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Guarded]:
        if self._database.is_memory:
            yield self._database.client
            return
        # One connection holds the lock, the other migrates.
        client = self._database.engine(pool_size=2, command_timeout=_LONGEST_STATEMENT)
        try:
            await client.create_connection(with_db=True)
            yield client
        finally:
            await client.close()

    async def _pending(self, client: Guarded) -> list[Migration]:
        applied = await _applied(client)
        return [step for step in read_folder(self._folder) if step.name not in applied]

    async def _step(
        self, client: Guarded, migration: Migration, *, forward: bool, progress: Progress
    ) -> None:
        began = time.monotonic()
        script = migration.upgrade if forward else migration.downgrade
        statements = script[self._database.dialect]
        if any(text.lstrip().startswith(BY_HAND) for text in statements):
            raise MigrationError(f"{migration.name} must first be written by hand.")
        async with _foreign_keys_apart(client), _scope(client, migration) as scope:
            if not forward:
                await _forget(scope, migration)
            await _run(scope, migration, statements)
            if forward:
                await _record(scope, migration)
        verb = "applied" if forward else "took back"
        progress(f"{verb} {migration.name} in {time.monotonic() - began:.2f} s")


@asynccontextmanager
async def _scope(client: Guarded, migration: Migration) -> AsyncIterator[BaseDBAsyncClient]:
    if not migration.in_transaction:
        yield client
        return
    async with client._in_transaction() as transaction:
        yield transaction
        if client.capabilities.dialect == "sqlite":
            _, broken = await transaction.execute_query("PRAGMA foreign_key_check")
            if broken:
                raise MigrationError(f"{migration.name} leaves rows that point to nothing.")


@asynccontextmanager
async def _foreign_keys_apart(client: Guarded) -> AsyncIterator[None]:
    """On SQLite no cascade follows while tables are rebuilt; the keys are checked at the end.

    There a table is changed by making it anew, and dropping the old one would delete every row
    that points to it.
    """
    if client.capabilities.dialect != "sqlite":
        yield
        return
    await client.execute_script("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        await client.execute_script("PRAGMA foreign_keys = ON")


async def _run(client: BaseDBAsyncClient, migration: Migration, statements: Sequence[str]) -> None:
    for number, statement in enumerate(statements, start=1):
        try:
            await client.execute_script(statement)
        except OperationalError as error:
            undone = (
                "nothing of it was kept"
                if client.capabilities.can_rollback_ddl and migration.in_transaction
                else "the statements before it were kept"
            )
            raise MigrationError(
                f"{migration.name}: statement {number} of {len(statements)} failed ({error});"
                f" {undone}. {migration.advice.get(client.capabilities.dialect, '')}".rstrip()
            ) from None


async def _refuse_other_letters(client: Guarded) -> None:
    """Raises: MigrationError, on a database of PostgreSQL's that takes other text than UTF-8."""
    if client.capabilities.dialect != "postgres":
        return
    _, rows = await client.execute_query("SHOW server_encoding")
    if (encoding := rows[0]["server_encoding"]) != "UTF8":
        raise MigrationError(
            f"The database's encoding is {encoding}; names need UTF8. Create it anew with"
            " CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        )


async def _applied(client: Guarded) -> list[str]:
    """The names in aerich's table, oldest first; none while there is no such table."""
    if not await _has_history(client):
        return []
    query = "SELECT version FROM aerich WHERE app = ? ORDER BY id"
    _, rows = await client.execute_query(in_dialect(client.capabilities.dialect, query), [APP])
    return [str(row["version"]) for row in rows]


async def _has_history(client: Guarded) -> bool:
    _, rows = await client.execute_query(
        {
            "sqlite": "SELECT 1 AS n FROM sqlite_master WHERE type = 'table' AND name = 'aerich'",
            "postgres": "SELECT 1 AS n WHERE to_regclass('aerich') IS NOT NULL",
            "mysql": "SELECT 1 AS n FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = 'aerich'",
        }[client.capabilities.dialect]
    )
    return bool(rows)


async def _record(client: BaseDBAsyncClient, migration: Migration) -> None:
    query = "INSERT INTO aerich (version, app, content) VALUES (?, ?, ?)"
    values = [migration.name, APP, encoder(migration.state)]
    await client.execute_query(in_dialect(client.capabilities.dialect, query), values)


async def _forget(client: BaseDBAsyncClient, migration: Migration) -> None:
    """Before the tables go, for aerich's own is among the first migration's."""
    query = "DELETE FROM aerich WHERE version = ? AND app = ?"
    values = [migration.name, APP]
    await client.execute_query(in_dialect(client.capabilities.dialect, query), values)


def _last_state(history: Sequence[Migration]) -> dict[str, dict[str, object]]:
    return json.loads(encoder(history[-1].state)) if history else {}
