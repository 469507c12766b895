"""Databases for tests: fresh, migrated, of our own name, and gone afterwards."""

import asyncio
import functools
import os
import secrets
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from service.infra.database import Database, DatabaseUnavailable
from service.infra.migrations import Migrator

T = TypeVar("T")

Backend = Literal["sqlite", "postgres", "mysql"]
BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres", "mysql")

TABLES = (
    "notifications",
    "order_items",
    "orders",
    "webhooks",
    "deliveries",
    "sinks",
    "events",
    "leases",
    "signing_keys",
    "api_keys",
    "client_secrets",
    "idempotency_keys",
    "changes",
    "sessions",
    "user_profiles",
    "user_roles",
    "users",
    "roles",
)
"""Ours, those that point before those they point to."""

_SERVERS: dict[Backend, tuple[list[str], list[str]]] = {
    "postgres": (["TEST_POSTGRES_URL"], ["postgres://postgres@127.0.0.1:5432"]),
    "mysql": (
        ["TEST_MARIADB_URL", "TEST_MYSQL_URL"],
        ["mysql://root@127.0.0.1:3306", "mysql://root:root@127.0.0.1:3306"],
    ),
}
"""Where each may be told to be, and where it is looked for otherwise."""
_ADMIN = {"postgres": "postgres", "mysql": "mysql"}
_START = {
    "postgres": "docker run -e POSTGRES_HOST_AUTH_METHOD=trust -p 5432:5432 postgres:15",
    "mysql": "docker run -e MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 -p 3306:3306 mariadb:10.11",
}


def available(backend: Backend) -> str | None:
    """None when the back end can be used; otherwise why not, and how to start it."""
    if backend == "sqlite" or _server(backend):
        return None
    variables, urls = _SERVERS[backend]
    return (
        f"{backend} does not answer at {variables[0]} (by default {urls[0]});"
        f" start one with: {_START[backend]}"
    )


@contextmanager
def fresh_database(backend: Backend, *, migrated: bool = True, options: str = "") -> Iterator[str]:
    """The URL of a new database, made with the server's ``options``, while the block runs.

    It works in a thread of its own, so a fixture of any scope may use it, inside a loop or not.
    """
    with _empty_database(backend, options) as url:
        if migrated:
            _in_thread(Migrator(Database(url)).up())
        yield url


async def clear(database: Database) -> None:
    """Delete every row of our tables; the schema stays."""
    async with database.transaction():
        for table in TABLES:
            await database.client.execute_script(f"DELETE FROM {table}")


@contextmanager
def _empty_database(backend: Backend, options: str = "") -> Iterator[str]:
    if backend == "sqlite":
        with tempfile.TemporaryDirectory(prefix="arcana-test-") as folder:
            yield f"sqlite://{Path(folder) / 'arcana.db'}"
        return
    server = _server(backend)
    assert server, available(backend)
    name = f"arcana_test_{os.getpid()}_{secrets.token_hex(4)}"
    _in_thread(_administer(backend, server, f"CREATE DATABASE {name} {options}"))
    try:
        yield f"{server}/{name}"
    finally:
        force = " WITH (FORCE)" if backend == "postgres" else ""
        _in_thread(_administer(backend, server, f"DROP DATABASE {name}{force}"))


@functools.cache
def _server(backend: Backend) -> str | None:
    variables, defaults = _SERVERS[backend]
    given = [os.environ[name] for name in variables if os.environ.get(name)]
    for url in (_without_name(url) for url in given or defaults):
        try:
            _in_thread(_administer(backend, url, "SELECT 1"))
        except DatabaseUnavailable:
            continue
        return url
    return None


def _without_name(url: str) -> str:
    """The server's URL, without the name of a database in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


async def _administer(backend: Backend, server: str, statement: str) -> None:
    client = Database(f"{server}/{_ADMIN[backend]}").engine(pool_size=1, command_timeout=30)
    try:
        await client.create_connection(with_db=True)
        await client.execute_script(statement)
    finally:
        await client.close()


def _in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in a loop of its own, apart from pytest's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
