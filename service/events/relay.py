"""The relay: puts events in order and tells every sink, in one process of all."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from service.core.clock import Clock, utc_now
from service.core.errors import Unavailable
from service.core.events import Sink, Sinks
from service.core.ports import Duty, DutyLost, Transactions
from service.events.courier import Courier
from service.events.repository import EventRepository

NAME = "relay"
"""The lease of whoever relays."""
PAUSE = 0.1
"""Seconds between two looks for new events when there were none."""
LOOK = 1.0
"""Seconds between two looks for new sinks."""

GRACE = 5.0
"""Seconds a courier has to settle what it is just telling, so that nobody is told that twice."""

log = logging.getLogger("arcana.relay")

Working = tuple[Courier, asyncio.Task[None]]


class Relay:
    """Tells every sink of every event, at least once and in order, while it has the lease.

    Who loses the lease in the middle commits nothing more: each step confirms it. So there is one
    order, and of two relays at most one moves a sink on; what both told is told twice.
    """

    def __init__(
        self,
        events: EventRepository,
        transactions: Transactions,
        duty: Duty,
        sinks: Sinks,
        clock: Clock = utc_now,
    ) -> None:
        self._events, self._begin, self._duty = events, transactions, duty
        self._sinks, self._clock = sinks, clock
        self._task: asyncio.Task[None] | None = None
        self._turned, self.is_relaying = 0.0, False
        self._couriers: dict[str, Working] = {}

    def start(self) -> None:
        """Begin, until ``stop``."""
        self._turned = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._keep_on())

    @property
    def told(self) -> frozenset[str]:
        """The sinks that this process tells now, by name."""
        return frozenset(self._couriers)

    @property
    def silent_for(self) -> float:
        """Seconds since it last went round, be it to find that another process relays."""
        return asyncio.get_running_loop().time() - self._turned

    async def ended(self) -> None:
        """Wait until it ends without having been stopped, which nothing but a fault brings about.

        Raises:
            BaseException: what ended it.
        """
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Leave off, and let the next process take over at once; harmless when not started."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with suppress(Unavailable):
                await self._duty.give_back(NAME)

    async def _keep_on(self) -> None:
        """Relay whenever the lease is ours; nothing but ``stop`` ends this."""
        blind = False
        while True:
            self._turned = asyncio.get_running_loop().time()
            try:
                if await self._duty.take(NAME):
                    log.info("this process relays events now")
                    blind = False
                    await self._relay()
                await asyncio.sleep(self._duty.ttl.total_seconds() / 10)
            except Exception as error:  # noqa: BLE001  # the next turn may go better
                if not blind:
                    log.warning("events wait (%s)", type(error).__name__)
                blind = not isinstance(error, DutyLost)
                await asyncio.sleep(LOOK)

    async def _relay(self) -> None:
        """Place events and keep a courier for each sink.

        Raises:
            DutyLost: another process relays now.
            Unavailable: the database is away.
        """
        loop, looked, renewed = asyncio.get_running_loop(), float("-inf"), 0.0
        self.is_relaying = True
        try:
            while True:
                now = self._turned = loop.time()
                if now - renewed >= self._duty.ttl.total_seconds() / 3:
                    if not await self._duty.take(NAME):
                        raise DutyLost(NAME)
                    renewed = now
                if now - looked >= LOOK:
                    await self._see_to(await self._sinks.all())
                    looked = now
                if await self._place():
                    for courier, _ in self._couriers.values():
                        courier.wake()
                else:
                    await asyncio.sleep(PAUSE)
        finally:
            self.is_relaying = False
            await self._see_to([])

    async def _place(self) -> int:
        async with self._begin():
            placed = await self._events.place()
            if placed:
                await self._duty.confirm(NAME)
        return placed

    async def _see_to(self, sinks: Sequence[Sink]) -> None:
        """Have one courier for each sink, and no other."""
        wanted = {sink.name: sink for sink in sinks}
        leaving = [name for name in self._couriers if name not in wanted]
        await _part_with([self._couriers.pop(name) for name in leaving])
        for name, sink in wanted.items():
            if name in self._couriers:
                self._couriers[name][0].sink = sink
            else:
                courier = Courier(sink, self._events, self._begin, self._confirm, self._clock)
                self._couriers[name] = courier, asyncio.create_task(courier.run())

    async def _confirm(self) -> None:
        """Raises: DutyLost."""
        await self._duty.confirm(NAME)


async def _part_with(leaving: Sequence[Working]) -> None:
    tasks = [task for _, task in leaving]
    for courier, _ in leaving:
        courier.leave()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
