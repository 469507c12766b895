"""What one process of all does beside the doors: it relays events and does the chores."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime

from service.app.outside import Outside
from service.app.services import Services
from service.app.sinks import AllSinks
from service.core import metrics
from service.core.clock import Clock
from service.core.errors import Unavailable
from service.core.events import kind_of
from service.events.relay import Relay
from service.events.repository import Backlog, EventRepository
from service.infra.chores import Chores
from service.infra.leases import Leases

LOOK = 5.0
"""Seconds between two looks at how far sinks are behind."""

log = logging.getLogger("arcana.relay")


class Background:
    """The chores, and the relay where it is wanted, each under its lease."""

    def __init__(self, outside: Outside, services: Services, *, relays: bool) -> None:
        leases = Leases(outside.database)
        self._chores = Chores(outside.database, leases, services.chores)
        self.relay: Relay | None = None
        self._looker: Looker | None = None
        self._sinks: AllSinks | None = None
        if relays:
            events, sinks = services.events, services.sinks()
            self.relay = Relay(events, outside.database.transaction, leases, sinks, outside.clock)
            self._sinks = sinks
            self._looker = Looker(self.relay, events, outside.clock)

    def start(self) -> None:
        """Begin, until ``stop``."""
        self._chores.start()
        if self.relay and self._looker:
            self.relay.start()
            self._looker.start()

    async def stop(self) -> None:
        """Settle what is just being told and leave off; harmless when not started."""
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self._chores.stop)
            if self._sinks:
                closing.push_async_callback(self._sinks.close)
            if self.relay and self._looker:
                closing.push_async_callback(self._looker.stop)
                closing.push_async_callback(self.relay.stop)


class Looker:
    """Shows how far sinks are behind, while this process relays."""

    def __init__(self, relay: Relay, events: EventRepository, clock: Clock) -> None:
        self._relay, self._events, self._clock = relay, events, clock
        self._task: asyncio.Task[None] | None = None
        self._shown: set[str] = set()

    def start(self) -> None:
        """Begin, where anybody takes what is measured."""
        if metrics.is_measured():
            self._task = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        """Leave off, and show nothing more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            metrics.RELAYING.show(0)
            self._show([])

    async def _keep_looking(self) -> None:
        while True:
            metrics.RELAYING.show(self._relay.is_relaying)
            try:
                self._show(await self._events.backlog() if self._relay.is_relaying else [])
            except Unavailable:
                pass  # the last values stand; arcana_database_away tells of it
            except Exception as error:  # noqa: BLE001  # nothing may end this task
                log.warning("how far sinks are can't be told (%s)", type(error).__name__)
            await asyncio.sleep(LOOK)

    def _show(self, backlogs: Sequence[Backlog]) -> None:
        """Show each kind of sink, and nothing left of one that is gone.

        One that nobody tells is not late: it is off, and only counted.
        """
        now, told = self._clock(), self._relay.told
        by_kind = {kind: list[Backlog]() for kind in self._shown}
        for backlog in backlogs:
            by_kind.setdefault(kind_of(backlog.sink), []).append(backlog)
        for kind, all_ in by_kind.items():
            ours = [each for each in all_ if each.sink in told]
            metrics.EVENT_LAG.show(max((_lag(each, now) for each in ours), default=0.0), kind)
            metrics.EVENTS_BEHIND.show(sum(each.behind for each in ours), kind)
            metrics.EVENTS_PARKED.show(sum(each.waiting for each in ours), kind, "waiting")
            metrics.EVENTS_PARKED.show(sum(each.dead for each in ours), kind, "dead")
            metrics.SINKS_OFF.show(len(all_) - len(ours) if told else 0, kind)
        self._shown |= by_kind.keys()


def _lag(backlog: Backlog, now: datetime) -> float:
    return max(0.0, (now - backlog.oldest).total_seconds()) if backlog.oldest else 0.0
