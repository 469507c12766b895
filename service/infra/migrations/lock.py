"""One migration at a time: a lock that goes with the process that holds it."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from service.infra.database import Database
from service.infra.database.guard import Guarded
from service.infra.finishing import to_the_end
from service.infra.migrations.files import MigrationError

_POSTGRES_KEY = 0x617263616E61
"""Of the database, not of the server; "arcana" in ASCII."""
_MYSQL_NAME = "CONCAT('arcana:', MD5(DATABASE()))"
"""Of the server, so the database's name is part of it; 64 characters at most."""
_PAUSE = 0.1


@asynccontextmanager
async def migration_lock(
    database: Database, client: Guarded, patience: float
) -> AsyncIterator[None]:
    """Hold the lock; whoever comes meanwhile waits up to ``patience`` seconds.

    Raises:
        MigrationError: another still migrates after that time.
    """
    locks = {"postgres": _postgres, "mysql": _mysql}
    if database.dialect in locks:
        async with (
            client.acquire_connection() as connection,
            locks[database.dialect](connection, patience),
        ):
            yield
    elif database.file and not database.is_memory:
        async with _file(f"{database.file}.migrating", patience):
            yield
    else:
        yield


async def _until(taken: Callable[[], Awaitable[bool]], patience: float) -> None:
    deadline = time.monotonic() + patience
    while not await taken():
        if time.monotonic() > deadline:
            raise MigrationError("Another process is migrating this database; try again later.")
        await asyncio.sleep(_PAUSE)


@asynccontextmanager
async def _postgres(connection: Any, patience: float) -> AsyncIterator[None]:
    async def taken() -> bool:
        return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", _POSTGRES_KEY))

    await _until(taken, patience)
    try:
        yield
    finally:
        # The pool keeps the session, so the lock would outlive this block.
        await to_the_end(connection.execute("SELECT pg_advisory_unlock($1)", _POSTGRES_KEY))


@asynccontextmanager
async def _mysql(connection: Any, patience: float) -> AsyncIterator[None]:
    async def ask(statement: str) -> Any:
        async with connection.cursor() as cursor:
            await cursor.execute(statement)
            return (await cursor.fetchone())[0]

    async def taken() -> bool:
        return bool(await ask(f"SELECT GET_LOCK({_MYSQL_NAME}, 0)"))

    await _until(taken, patience)
    try:
        yield
    finally:
        await to_the_end(ask(f"SELECT RELEASE_LOCK({_MYSQL_NAME})"))


@asynccontextmanager
async def _file(path: str, patience: float) -> AsyncIterator[None]:
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)

    async def taken() -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        await _until(taken, patience)
        yield
    finally:
        os.close(handle)  # which unlocks; the file stays, or two could lock two files
