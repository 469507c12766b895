"""Duties that come round again, each done by one process of all."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from service.infra.database import Database, DatabaseUnavailable
from service.infra.leases import LeaseLostError, Leases

NAME = "chores"
"""The lease of whoever does them all: a name for each would be a query for each."""
FIRST = timedelta(minutes=1)
"""Within it a new holder does everything once: deployments may be more frequent than a duty."""
BREATH = 0.05
"""Seconds between two steps, for whoever else wants the database."""

log = logging.getLogger("arcana.chores")
_dice = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Chore:
    """``step`` does a small part and says whether there is more; about ``every`` so often.

    Each step is a transaction of its own, in which the lease is confirmed first: a process that
    was stopped in the middle and wakes up later does nothing any more.
    """

    name: str
    every: timedelta
    step: Callable[[], Awaitable[bool]]


class Chores:
    """Does ``chores`` while this process has the lease, and tries to get it while it has not.

    An error of one is logged and stops neither the others nor its next turn.
    """

    def __init__(self, database: Database, leases: Leases, chores: Iterable[Chore]) -> None:
        self._database, self._leases, self._chores = database, leases, tuple(chores)
        self._retry = leases.ttl.total_seconds() / 3
        self._ours = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, until ``stop``."""
        if self._chores:
            works = [self._keep_lease(), *map(self._come_round, self._chores)]
            self._tasks = [asyncio.create_task(work) for work in works]

    async def stop(self) -> None:
        """Leave off, and let the next process take over at once; harmless when not started."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks and self._leases.holds(NAME):
            try:
                await self._leases.give_back(NAME)
            except DatabaseUnavailable:
                log.warning("the lease of chores runs out by itself: the database is away")

    async def _keep_lease(self) -> None:
        blind = False
        while True:
            try:
                taken, blind = await self._leases.take(NAME), False
            except Exception as error:  # noqa: BLE001  # nothing may end this task
                if not blind:
                    log.warning("nobody can tell who does the chores (%s)", type(error).__name__)
                taken, blind = self._leases.holds(NAME), True
            self._mark(taken)
            await asyncio.sleep(self._retry * _dice.uniform(0.8, 1.2))

    def _mark(self, ours: bool) -> None:
        if ours and not self._ours.is_set():
            log.info("this process does the chores now")
            self._ours.set()
        elif not ours:
            self._ours.clear()

    async def _come_round(self, chore: Chore) -> None:
        every = chore.every.total_seconds()
        pause = min(every, FIRST.total_seconds()) * _dice.random()
        while True:
            await self._ours.wait()
            await asyncio.sleep(pause)
            if self._leases.holds(NAME):
                await self._do(chore)
            pause = every * _dice.uniform(0.8, 1.2)

    async def _do(self, chore: Chore) -> None:
        try:
            while await self._step(chore):
                await asyncio.sleep(BREATH)
        except LeaseLostError:
            self._ours.clear()
            log.warning("the lease of chores was lost", extra={"chore": chore.name})
        except Exception as error:  # its next turn may go better
            log.error(
                "a chore failed: %s",
                type(error).__name__,
                extra={"chore": chore.name},
                exc_info=None if isinstance(error, DatabaseUnavailable) else error,
            )

    async def _step(self, chore: Chore) -> bool:
        async with self._database.transaction():
            await self._leases.confirm(NAME)
            return await chore.step()
