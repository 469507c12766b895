"""The newest events, read once for all who watch in this process."""

import asyncio
import bisect
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from service.core import metrics
from service.core.errors import Unavailable
from service.core.events import Told
from service.watches.errors import ResumeExpired
from service.watches.schemas import TYPES, UserEventView

EVERY = 0.25
"""Seconds between two looks for new events, while anybody watches."""
KEPT = 1000
"""Events that are held. Who is further behind reads pages of the table, at its own pace."""
PAGE = 200
"""Events that are read at once, and that a watcher has before it at most."""
READERS = 2
"""Watchers who may read the table at once: the doors need its connections, too."""

log = logging.getLogger("arcana.watches")


class Events(Protocol):
    """What is asked of ``events.repository.EventRepository``."""

    async def top(self) -> int: ...

    async def after(self, position: int, size: int) -> Sequence[Told]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as it is told, with its place."""

    position: int
    type: str
    view: UserEventView


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened up to ``position``; ``is_last`` when that is all there was."""

    events: Sequence[Seen]
    position: int
    is_last: bool


class Tail:
    """Events behind any position, out of memory when they are among the last ``kept``.

    Nothing is held for a single watcher: each asks for what follows when it has told the rest. So
    one who reads slowly costs no memory, and one who reads quickly no query of its own.
    """

    def __init__(self, events: Events, *, every: float = EVERY, kept: int = KEPT) -> None:
        self._events, self._every, self._kept = events, every, kept
        self._held: list[Seen] = []
        self._floor = 0
        self._top: int | None = None
        self._followers = 0
        self._task: asyncio.Task[None] | None = None
        self._news, self._leaves = asyncio.Event(), False
        self._reading = asyncio.Semaphore(READERS)

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Look for new events while the block runs.

        Raises:
            Unavailable: this process stops.
        """
        self.refuse_when_leaving()
        self._count(1)
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            self._count(-1)
            if not self._followers:
                self._task.cancel()
                metrics.WATCH_BLIND.show(0)
                self._task, self._held, self._top = None, [], None

    def _count(self, more: int) -> None:
        self._followers += more
        metrics.WATCHERS.show(self._followers)

    def let_go(self) -> None:
        """Send every watcher to another process."""
        self._leaves = True
        self._tell()

    def refuse_when_leaving(self) -> None:
        """Raises: Unavailable."""
        if self._leaves:
            raise Unavailable

    async def after(self, position: int) -> Stretch:
        """What follows ``position``, not all of it at once.

        Raises:
            ResumeExpired: some of it is not known any more.
            Unavailable: this process stops, or the database is away.
        """
        self.refuse_when_leaving()
        if self._top is not None and position >= self._floor:
            at = bisect.bisect_right(self._held, position, key=lambda seen: seen.position)
            some = self._held[at : at + PAGE]
            if len(self._held) > at + PAGE:
                return Stretch(some, some[-1].position, is_last=False)
            return Stretch(some, max(position, self._top), is_last=True)
        top = self._top
        async with self._reading:
            rows = await self._events.after(position, PAGE)
        if not rows:
            if top is not None and top > position:
                raise ResumeExpired
            return Stretch([], position, is_last=True)
        refuse_gap(position, rows)
        return Stretch(_seen(rows), rows[-1].position, is_last=len(rows) < PAGE)

    async def news(self, position: int, until: float) -> None:
        """Wait until something follows ``position``, or until a time of the loop."""
        try:
            async with asyncio.timeout_at(until):
                while not self._leaves and (self._top is None or self._top <= position):
                    await self._news.wait()
        except TimeoutError:
            return

    async def _follow(self) -> None:
        """Look for what is new; nothing but being cancelled ends this."""
        blind = False
        while True:
            try:
                is_full = await self._look()
                blind = False
            except Exception as error:  # noqa: BLE001  # the next look may go better
                is_full = False
                if not blind:
                    log.warning("watchers wait (%s)", type(error).__name__)
                blind = True
            metrics.WATCH_BLIND.show(blind)
            await asyncio.sleep(0 if is_full else self._every)

    async def _look(self) -> bool:
        """Take in the next page; whether there was a whole one."""
        if self._top is None:
            self._floor = self._top = await self._events.top()
            self._tell()
        rows = await self._events.after(self._top, PAGE)
        if rows:
            if rows[0].position != self._top + 1:  # not for lack of looking: somebody purged
                self._held, self._floor = [], rows[0].position - 1
            self._held += _seen(rows)
            self._top = rows[-1].position
            if len(self._held) > self._kept:
                self._floor = self._held[-self._kept - 1].position
                self._held = self._held[-self._kept :]
            self._tell()
        return len(rows) == PAGE

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def refuse_gap(position: int, rows: Sequence[Told]) -> None:
    """Positions are given without a gap, so where there is one, events were deleted.

    Raises:
        ResumeExpired.
    """
    if [row.position for row in rows] != list(range(position + 1, position + 1 + len(rows))):
        raise ResumeExpired


def _seen(rows: Sequence[Told]) -> list[Seen]:
    """Those of the events that watches tell."""
    return [Seen(r.position, r.type, UserEventView.of_event(r)) for r in rows if r.type in TYPES]
