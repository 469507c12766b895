"""Whether a database server answers: found out by one probe at a time, for everybody."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

log = logging.getLogger("arcana.database")

PAUSE = 0.25
"""Seconds between two probes of a server that is away: how late its return may be noticed."""
FRESH = 1.0
"""Seconds for which an answer to anybody says that the server lives."""


class Watch:
    """A breaker for one database server, opened and closed by what a probe sees.

    A command that fails makes the server *suspect*, and a probe on a connection of its own is
    sent; only when that fails, too, is the server *away*, and commands are refused unasked until
    a probe has come through. So one slow statement or one lock never closes the door for all.
    Invariant: at most one probe runs, and none while the server is neither suspect nor away.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[None]],
        forget: Callable[[], None],
        *,
        timeout: float = 1.0,
    ) -> None:
        """``probe`` raises when nothing answers; ``forget`` drops the connections at rest."""
        self._probe, self._forget, self._timeout = probe, forget, timeout
        self._seen = float("-inf")
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_away = False

    def seen(self) -> None:
        """A command was answered."""
        self._seen = time.monotonic()

    def lost(self) -> None:
        """A connection broke: those at rest beside it are in doubt, too."""
        self._forget()
        self.suspect()

    def suspect(self) -> None:
        """Have the server probed, unless that is under way."""
        if self._task is None:
            self._told.clear()
            self._task = asyncio.create_task(self._until_it_answers())

    async def answers(self, timeout: float) -> bool:
        """Whether the server answers, known within ``timeout`` seconds without a pool's slot."""
        if self.is_away:
            return False
        if self._task is None:
            if time.monotonic() - self._seen < FRESH:
                return True
            self.suspect()
        try:
            await asyncio.wait_for(self._told.wait(), timeout)
        except TimeoutError:
            return False
        return not self.is_away

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _until_it_answers(self) -> None:
        try:
            while not await self._is_there():
                self._go_away()
                self._told.set()
                await asyncio.sleep(PAUSE)
            self._come_back()
        finally:
            self._task = None
            self._told.set()

    async def _is_there(self) -> bool:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                await self._probe()
        except Exception:  # noqa: BLE001  # drivers raise all kinds, and each means no
            return self._seen > began  # another's answer counts: a full server refuses probes
        self.seen()
        return True

    def _go_away(self) -> None:
        if not self.is_away:
            self.is_away = True
            self._forget()
            log.error("the database is away: commands are refused until a probe comes through")

    def _come_back(self) -> None:
        if self.is_away:
            self._forget()
            self.is_away = False
            log.warning("the database is back")
