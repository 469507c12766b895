"""When rows were last used: noted by requests, written down behind them."""

import asyncio
import logging
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from service.core.clock import Clock, utc_now
from service.infra.database import Database
from service.infra.database.rows import in_dialect
from service.infra.finishing import to_the_end

log = logging.getLogger("arcana.touches")

EVERY = timedelta(seconds=45)
"""A row used again within this span is not noted again. Written within ``FLUSH_EVERY`` after
that, ``last_used_at`` is true to a minute."""
FLUSH_EVERY = 5.0
"""Seconds between two writes."""
BATCH = 200
"""Rows that one UPDATE changes."""
ENTRIES_MAX = 50_000


class Row(NamedTuple):
    """A row of a table that has ``id`` and ``last_used_at``."""

    table: str
    id: UUID


class Touches:
    """Writes ``last_used_at`` of rows, each at most once in ``EVERY``, many in one statement.

    No request waits for it, and none is broken by it: a row that somebody else holds is passed
    over, so it takes part in no deadlock. While the database is away notes wait, ``entries_max``
    at most. ``stop`` writes what waits.
    """

    def __init__(
        self, database: Database, *, clock: Clock = utc_now, entries_max: int = ENTRIES_MAX
    ) -> None:
        self._database, self._clock, self._entries_max = database, clock, entries_max
        self._noted: OrderedDict[Row, datetime] = OrderedDict()
        self._waiting: OrderedDict[Row, datetime] = OrderedDict()
        self._owner: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._is_failing = False

    @property
    def waiting(self) -> int:
        """How many rows wait to be written."""
        return len(self._waiting)

    def note(self, table: str, row_id: UUID) -> None:
        """Note that a row is used now; ``table`` is ours and goes into the SQL as it is."""
        row, now = Row(table, row_id), self._clock()
        noted = self._noted.get(row)
        if noted is not None and timedelta(0) <= now - noted < EVERY:
            return
        self._put(self._noted, row, now)
        self._put(self._waiting, row, now)

    def _put(self, into: OrderedDict[Row, datetime], row: Row, at: datetime) -> None:
        """The oldest goes when there are too many: what is lost is one row's latest minute."""
        into[row] = at
        into.move_to_end(row)
        if len(into) > self._entries_max:
            into.popitem(last=False)

    def start(self) -> None:
        """Write every ``FLUSH_EVERY`` seconds until ``stop``."""
        self._owner = asyncio.create_task(self._keep_writing())

    async def stop(self) -> None:
        """Write what waits, and no more; call it while the database is still connected."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.cancel()
            await asyncio.gather(owner, return_exceptions=True)
        if self._waiting and self._database.is_connected:
            await self._try()

    async def flush(self) -> None:
        """Write all that waits.

        Raises:
            DatabaseUnavailable: it goes on waiting.
        """
        async with self._writing:  # who comes second waits for the first one's commit
            while self._waiting:
                table, at, rows = self._batch()
                await to_the_end(self._write(table, at, [row.id for row in rows]))
                for row in rows:
                    if self._waiting.get(row, at) <= at:
                        self._waiting.pop(row, None)

    def _batch(self) -> tuple[str, datetime, list[Row]]:
        """The next rows of one table used within ``FLUSH_EVERY``; the last of them says when.

        One instant for all keeps the statement alike on three databases.
        """
        first, began = next(iter(self._waiting.items()))
        last = began
        rows: list[Row] = []
        for row, at in self._waiting.items():  # in the order they were noted
            if len(rows) == BATCH or abs(at - began) > timedelta(seconds=FLUSH_EVERY):
                break
            if row.table == first.table:
                rows.append(row)
                last = max(last, at)
        return first.table, last, sorted(rows)

    async def _write(self, table: str, at: datetime, ids: list[UUID]) -> None:
        async with self._database.transaction():
            free = await self._not_held(table, ids)
            if free:
                marks = ", ".join("?" for _ in free)
                await self._run(
                    f"UPDATE {table} SET last_used_at = ? WHERE id IN ({marks})"  # noqa: S608  # ours
                    " AND (last_used_at IS NULL OR last_used_at < ?)",
                    [at, *self._keys(free), at],
                )

    async def _not_held(self, table: str, ids: list[UUID]) -> list[UUID]:
        """Those rows that nobody is changing, locked; SQLite has one writer, and so nobody is."""
        if self._database.dialect == "sqlite":
            return ids
        marks = ", ".join("?" for _ in ids)
        found = await self._run(
            f"SELECT id FROM {table} WHERE id IN ({marks}) FOR UPDATE SKIP LOCKED",  # noqa: S608
            self._keys(ids),
        )
        return [UUID(str(row["id"])) for row in found]

    async def _run(self, query: str, values: list[object]) -> list[dict[str, object]]:
        _, rows = await self._database.client.execute_query(
            in_dialect(self._database.dialect, query), values
        )
        return [dict(row) for row in rows or ()]

    def _keys(self, ids: list[UUID]) -> list[object]:
        """Ids are text where the database has no type for them."""
        return list(ids) if self._database.dialect == "postgres" else [str(each) for each in ids]

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            await self._try()

    async def _try(self) -> None:
        try:
            await self.flush()
            self._is_failing = False
        except Exception as error:  # noqa: BLE001  # nothing may end the task; the notes wait
            if not self._is_failing:
                log.warning("last uses can't be written (%s)", type(error).__name__)
            self._is_failing = True
