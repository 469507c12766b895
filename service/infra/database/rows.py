"""Plain SQL that reads alike on three databases."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from tortoise.connection import get_connection

from service.infra.database.guard import Guarded


def in_dialect(dialect: str, query: str) -> str:
    """``query``, whose parameters are written ``?``, as the database wants it."""
    first, *rest = query.split("?")
    marks = (f"${n}" if dialect == "postgres" else "%s" for n in range(1, len(rest) + 1))
    return (
        query
        if dialect == "sqlite"
        else first + "".join(map("".join, zip(marks, rest, strict=True)))
    )


def raw_client() -> Guarded:
    """What plain SQL runs on: the transaction under way, or the pool."""
    return cast(Guarded, get_connection("default"))


async def insert_rows(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert many rows at once, in the transaction under way if there is one.

    ``table`` and ``columns`` are ours and go into the SQL as they are.

    Raises:
        IntegrityError: a row is there already, or points to nothing; none is inserted.
        DatabaseUnavailable: the database does not answer.
    """
    if not rows:
        return
    client = raw_client()
    dialect = client.capabilities.dialect
    marks = ", ".join("?" for _ in columns)
    query = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  # ours
    values = [list(row) if dialect == "postgres" else [_plain(v) for v in row] for row in rows]
    await client.execute_many(in_dialect(dialect, query), values)


def _plain(value: Any) -> Any:
    """Ids are text where the database has no type for them."""
    return str(value) if isinstance(value, UUID) else value
