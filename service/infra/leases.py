"""Who, of all processes, has a duty: rows that one holder at a time may renew."""

import time
from datetime import timedelta
from uuid import UUID, uuid4

from tortoise.exceptions import IntegrityError

from service.core.ports import DutyLost
from service.infra.database import Database, unique_violation
from service.infra.database.rows import in_dialect

TTL = timedelta(seconds=15)
"""How long a holder that died keeps others from its duty."""

_NOW = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "postgres": "clock_timestamp()",
    "mysql": "UTC_TIMESTAMP(6)",
}
_END = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '+{seconds} seconds')",
    "postgres": "clock_timestamp() + INTERVAL '{seconds} seconds'",
    "mysql": "UTC_TIMESTAMP(6) + INTERVAL {microseconds} MICROSECOND",
}
_TYPED = "?::varchar, ?::uuid"
"""PostgreSQL takes parameters that are selected for text."""


class LeaseLostError(DutyLost):
    """The lease ran out, and maybe another has it: nothing may be done in its name."""


class Leases:
    """This process's part in all leases; of any number of processes one at most holds a name.

    Instants are the database's: the clocks of our machines need not agree. Its own may be set
    back, which makes a lease last longer, or forward, which ends it early; neither gives it to
    two, because who acts asks again, in the transaction of the act (``confirm``). ``holds`` asks
    nobody: it counts from before the question was sent, on a clock that is never set, and takes
    for granted only that this clock and the database's run at the same speed.
    """

    def __init__(self, database: Database, *, ttl: timedelta = TTL) -> None:
        self._database, self.ttl = database, ttl
        self.holder: UUID = uuid4()
        self._until: dict[str, float] = {}

    async def take(self, name: str) -> bool:
        """Take ``name`` if nobody has it, or renew it; whether it is ours for the TTL from now.

        Raises:
            DatabaseUnavailable: nobody can tell.
        """
        asked = time.monotonic()
        ours = f"name = ? AND (holder = ? OR until <= {self._now})"
        taken = await self._renew(ours, name) or await self._begin(name)
        self._until[name] = asked + self.ttl.total_seconds() if taken else asked
        return taken

    async def confirm(self, name: str) -> None:
        """Renew ``name`` in the transaction under way, so that nobody takes it before the commit.

        Raises:
            LeaseLostError: it is ours no more.
            DatabaseUnavailable: nobody can tell.
        """
        asked = time.monotonic()
        if not await self._renew(f"name = ? AND holder = ? AND until > {self._now}", name):
            self._until.pop(name, None)
            raise LeaseLostError(name)
        self._until[name] = asked + self.ttl.total_seconds()

    def holds(self, name: str) -> bool:
        """Whether ``name`` was ours when we last asked, and the TTL has not run out since."""
        return time.monotonic() < self._until.get(name, 0.0)

    async def give_back(self, name: str) -> None:
        """Let the next one have ``name`` at once; harmless when it is not ours.

        Raises:
            DatabaseUnavailable: it stays taken until the TTL runs out.
        """
        self._until.pop(name, None)
        await self._run("DELETE FROM leases WHERE name = ? AND holder = ?", [name, self._me])

    async def _renew(self, condition: str, name: str) -> bool:
        query = f"UPDATE leases SET holder = ?, until = {self._end} WHERE {condition}"  # noqa: S608
        return await self._run(query, [self._me, name, self._me]) > 0

    async def _begin(self, name: str) -> bool:
        """Make the row if there is none: one that is there is another's."""
        postgres = self._database.dialect == "postgres"
        query = (
            f"INSERT INTO leases (name, holder, until) SELECT {_TYPED if postgres else '?, ?'},"  # noqa: S608
            f" {self._end} FROM (SELECT 1) one"
            " WHERE NOT EXISTS (SELECT 1 FROM leases WHERE name = ?)"
        )
        values = [name, self._me, name]
        try:
            if postgres:  # Tortoise reads 0 out of "INSERT 0 1"
                return bool(await self._ask(f"{query} RETURNING name", values))
            return await self._run(query, values) > 0
        except IntegrityError as error:
            if unique_violation(error) is None:
                raise
            return False

    async def _ask(self, query: str, values: list[object]) -> list[dict[str, object]]:
        asked = in_dialect(self._database.dialect, query)
        return await self._database.client.execute_query_dict(asked, values)

    async def _run(self, query: str, values: list[object]) -> int:
        count, _ = await self._database.client.execute_query(
            in_dialect(self._database.dialect, query), values
        )
        return int(count)

    @property
    def _me(self) -> object:
        return self.holder if self._database.dialect == "postgres" else str(self.holder)

    @property
    def _now(self) -> str:
        return _NOW[self._database.dialect]

    @property
    def _end(self) -> str:
        seconds = self.ttl.total_seconds()
        return _END[self._database.dialect].format(
            seconds=seconds, microseconds=round(seconds * 1_000_000)
        )
