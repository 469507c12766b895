"""The SQL of the change feed, alike on three databases."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.infra.database.guard import Guarded
from service.infra.database.rows import in_dialect

BATCH = 1000
_COLUMNS = "SELECT id, user_id, kind, at FROM changes WHERE"


class Change(NamedTuple):
    """One committed write to a user, its roles, its profile or its sessions.

    ``at`` is when it was written, in seconds since 1970-01-01T00:00:00Z by its writer's clock.
    """

    id: int
    user_id: UUID
    kind: str
    at: float

    @property
    def name(self) -> tuple[int, UUID, str]:
        """What it is known by, however it was learnt: instants lose a little on their way."""
        return self[:3]


async def insert(client: Guarded, user_ids: Sequence[UUID], kind: str, at: datetime) -> int:
    """Insert a row for each user; an id no lower than any of theirs."""
    dialect = client.capabilities.dialect
    query = in_dialect(dialect, "INSERT INTO changes (user_id, kind, at) VALUES (?, ?, ?)")
    rows = [[user if dialect == "postgres" else str(user), kind, at] for user in user_ids]
    if len(rows) > 1:
        await client.execute_many(query, rows)
        return await newest(client)
    if dialect != "postgres":
        return int(await client.execute_insert(query, rows[0]))
    return int((await client.execute_query_dict(f"{query} RETURNING id", rows[0]))[0]["id"])


async def newest(client: Guarded) -> int:
    """The highest id that can be seen; 0 when there is none."""
    found = await client.execute_query_dict("SELECT MAX(id) AS id FROM changes")
    return int(found[0]["id"] or 0)


async def oldest_since(client: Guarded, at: datetime) -> int | None:
    """The lowest id of the changes written at ``at`` or later."""
    query = "SELECT MIN(id) AS id FROM changes WHERE at >= ?"
    found = await _ask(client, query, [at])
    return None if found[0]["id"] is None else int(found[0]["id"])


async def since(client: Guarded, low: int) -> list[Change]:
    """The first ``BATCH`` changes from the id ``low`` on."""
    query = f"{_COLUMNS} id >= ? ORDER BY id LIMIT {BATCH}"
    return _changes(await _ask(client, query, [low]))


async def between(client: Guarded, spans: Iterable[tuple[int, int]]) -> list[Change]:
    """The changes whose ids lie in one of ``spans``, its ends included."""
    ends = [end for span in spans for end in span]
    either = " OR ".join(["id BETWEEN ? AND ?"] * (len(ends) // 2))
    return _changes(await _ask(client, f"{_COLUMNS} {either} ORDER BY id", ends))


async def delete_before(client: Guarded, at: datetime, below: int) -> int:
    """Delete the oldest of the changes written before ``at`` with ids under ``below``; how many."""
    old = f"SELECT id FROM changes WHERE at < ? AND id < ? ORDER BY id LIMIT {BATCH}"  # noqa: S608
    found = await _ask(client, f"SELECT MAX(id) AS id FROM ({old}) old_ones", [at, below])  # noqa: S608
    if found[0]["id"] is None:
        return 0
    query = "DELETE FROM changes WHERE at < ? AND id <= ?"
    dialect = client.capabilities.dialect
    deleted, _ = await client.execute_query(in_dialect(dialect, query), [at, found[0]["id"]])
    return int(deleted)


async def _ask(client: Guarded, query: str, values: list[Any]) -> list[dict[str, Any]]:
    return await client.execute_query_dict(in_dialect(client.capabilities.dialect, query), values)


def _changes(rows: list[dict[str, Any]]) -> list[Change]:
    return [
        Change(int(row["id"]), UUID(str(row["user_id"])), row["kind"], _seconds(row["at"]))
        for row in rows
    ]


def _seconds(at: datetime | str) -> float:
    """An instant as a driver gives it: SQLite's as text, MariaDB's without a zone."""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
