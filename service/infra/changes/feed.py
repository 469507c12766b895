"""The change feed as the rest of the worker sees it."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from uuid import UUID

from service.core.clock import Clock, utc_now
from service.infra.changes import rows
from service.infra.changes.bus import Bus
from service.infra.changes.known import WINDOW, Known
from service.infra.changes.rows import BATCH, Change
from service.infra.database import Database
from service.infra.database.guard import Guarded
from service.infra.database.work import under_way

log = logging.getLogger("arcana.changes")

BOUND = 1.0
"""Seconds after which a worker that has not read the feed no longer believes what it caches."""
INTERVAL = 0.3
"""Seconds between two polls, give or take a fifth."""
LOOK_BACK = 10_000
"""Changes read at the start, so that what other workers cached before may be believed."""
KEEP = timedelta(hours=1)
_dice = random.SystemRandom()

Handler = Callable[[Change], None]


class ChangeFeed:
    """Every committed write to a user, told to this worker's subscribers within a second.

    The truth is the table: a poll that began at an instant has met every change committed before
    it, so while ``is_fresh`` the subscribers know of all that was acknowledged ``BOUND`` seconds
    ago, whatever became of messages. Redis only makes it faster. Subscribers must be quick, and
    bear being told twice. ``on_delay`` hears how many seconds after its writing each change of
    another worker was learnt.
    """

    def __init__(
        self,
        database: Database,
        *,
        redis_url: str | None = None,
        channel: str = "arcana:changes",
        clock: Clock = utc_now,
    ) -> None:
        self._database, self._clock = database, clock
        self._bus = Bus(redis_url, channel, self._hear) if redis_url else None
        self._known = Known()
        self._told: list[Handler] = []
        self._lost: list[Callable[[], None]] = []
        self.on_delay: Callable[[float], None] = _nothing
        self._client: Guarded | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._read_at = float("-inf")
        self._begun = False

    @property
    def lag(self) -> float:
        """Seconds since the beginning of the last poll that came through: how old we may be."""
        return time.monotonic() - self._read_at

    @property
    def is_fresh(self) -> bool:
        """Whether this worker knows of every change acknowledged ``BOUND`` seconds ago."""
        return time.monotonic() - self._read_at < BOUND

    @property
    def is_listening(self) -> bool:
        """Whether the short cut through Redis works, too."""
        return self._bus is not None and self._bus.is_listening

    def subscribe(self, on_change: Handler, on_loss: Callable[[], None]) -> None:
        """Have ``on_change`` called for each change, and ``on_loss`` when any may have escaped."""
        self._told.append(on_change)
        self._lost.append(on_loss)

    def mark(self, user_id: UUID | None) -> int:
        """What to keep beside a value that is read from now on; see ``trusts``.

        Of a user not yet known, None, less is promised: the value may be distrusted too early.
        """
        return self._known.mark(user_id)

    def trusts(self, user_id: UUID, mark: int) -> bool:
        """Whether a value read under ``mark``, by any worker, is still true by what we know."""
        return self.is_fresh and self._known.trusts(user_id, mark)

    def trusts_blindly(self, user_id: UUID, mark: int) -> bool:
        """``trusts`` while the table can't be read, as long as Redis still tells of changes.

        Weaker: a worker that is cut off from Redis alone tells nobody at once. So it is for the
        time in which no database answers and hardly anybody could write a change.
        """
        heard = self._bus is not None and self._bus.heard_within(BOUND)
        return heard and self._known.trusts(user_id, mark)

    async def append(self, user_id: UUID, kind: str) -> None:
        """Write down a change in the transaction under way, after the write it tells of.

        This worker applies it after the commit, before the answer leaves; the others are told.

        Raises:
            RuntimeError: there is no transaction.
        """
        await self.append_all([user_id], kind)

    async def append_all(self, user_ids: Iterable[UUID], kind: str) -> None:
        """``append`` for many users.

        Raises:
            RuntimeError: there is no transaction.
        """
        users, work = list(user_ids), under_way()
        if work is None:
            raise RuntimeError("A change is written down in the transaction that makes it.")
        if users:
            now = self._clock()
            highest = await rows.insert(self._database.client, users, kind, now)
            changes = [Change(highest, user, kind, now.timestamp()) for user in users]
            work.after_commit(partial(self._publish, changes, time.monotonic()))

    async def start(self) -> None:
        """Read the feed once, then keep reading it until ``stop``.

        Raises:
            DatabaseUnavailable: the database cannot be reached.
        """
        if not self._database.is_memory:
            self._client = self._database.engine(pool_size=1, command_timeout=BOUND)
            await self._client.create_connection(with_db=True)
        await self.poll()
        self._tasks = [asyncio.create_task(self._keep_reading())]
        if self._bus is not None:
            self._tasks.append(asyncio.create_task(self._bus.run()))

    async def stop(self) -> None:
        """Harmless when it was not started."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._read_at = float("-inf")
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        if self._bus is not None:
            await self._bus.close()

    async def clean(self) -> bool:
        """Delete a batch of what nobody needs any more, never the newest row; whether to go on.

        In the transaction under way, if there is one.
        """
        client = self._database.client
        deleted = await rows.delete_before(client, self._clock() - KEEP, self._known.top)
        return deleted >= BATCH

    async def poll(self) -> None:
        """Learn of every change committed until now.

        Raises:
            DatabaseUnavailable: the database cannot be reached.
        """
        began, client = time.monotonic(), self._client or self._database.client
        if not self._begun:
            await self._begin(client)
        if spans := self._known.missing():
            self._take(await rows.between(client, spans))
        met = await rows.since(client, self._known.top)
        if self._known.top and not (met and met[0].id == self._known.top):
            self._start_over()  # our last row is gone: another history, a backup maybe
            return
        self._take(met)
        while len(met) == BATCH:
            met = await rows.since(client, self._known.top + 1)
            self._take(met)
        self._read_at = began

    async def _begin(self, client: Guarded) -> None:
        """Start reading far enough back to see what is just committing as a gap."""
        top = await rows.newest(client)
        recent = await rows.oldest_since(client, self._clock() - timedelta(seconds=2 * WINDOW))
        low = min(top - LOOK_BACK, (recent or top + 1) - 1)
        first = await rows.since(client, max(low, 0))
        self._known.begin_at(first[0].id - 1 if first else 0)
        self._take(first)
        self._begun = True

    def _start_over(self) -> None:
        log.warning("the change feed lost its thread: every cached value is forgotten")
        self._begun, self._read_at = False, float("-inf")
        self._known.begin_at(0)
        for forget in self._lost:
            forget()

    def _take(self, changes: list[Change]) -> None:
        for change in changes:
            if self._known.meet(change):
                self._learn(change)

    def _hear(self, change: Change) -> None:
        if self._known.hear(change):
            self._learn(change)

    def _apply(self, change: Change) -> None:
        for handler in self._told:
            handler(change)

    def _learn(self, change: Change) -> None:
        """``_apply``, and say how old the news is by the two workers' clocks."""
        self._apply(change)
        self.on_delay(max(0.0, self._clock().timestamp() - change.at))

    async def _publish(self, changes: list[Change], written: float) -> None:
        for change in changes:
            self._known.note(change)
            self._apply(change)
            if self._bus is not None:
                self._bus.tell(change)
        if time.monotonic() - written > WINDOW / 2:
            # Others may have given these ids up for rolled back: told anew under later ones.
            async with self._database.transaction():
                await self.append_all([change.user_id for change in changes], changes[0].kind)

    async def _keep_reading(self) -> None:
        blind = False
        while True:
            await asyncio.sleep(INTERVAL * _dice.uniform(0.8, 1.2))
            try:
                await self.poll()
            except Exception as error:  # noqa: BLE001  # nothing may end this task
                if not blind:
                    log.warning("the change feed can't be read (%s)", type(error).__name__)
                blind = True
            else:
                if blind:
                    log.warning("the change feed is read again")
                blind = False


def _nothing(seconds: float) -> None:
    """Nobody measures."""
