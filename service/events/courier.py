"""A courier: tells one sink what comes next, and again what it did not take."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from service.core.clock import Clock
from service.core.events import Despairing, Sink, SinkRefused, Told, kind_of
from service.core.metrics import DELIVERIES
from service.core.ports import Transactions
from service.events.models import DeliveryState
from service.events.repository import EventRepository, Parked, Progress

BATCH = 200
"""Events read at a time."""
STRIKES = 5
"""Refusals in a row, of whatever events, after which the whole sink is left alone for a while."""
REST_MAX = 60.0
"""The longest rest, in seconds: a sink that is back is told again after it at the latest."""
LANE_MAX = 100
"""Parked events of a lane that are tried in one go."""
IDLE = 5.0
"""Seconds after which a courier with nothing to do looks again without being woken."""

log = logging.getLogger("arcana.relay")
_dice = random.SystemRandom()


@dataclass(slots=True)
class Round:
    """What came of one round: positions taken, and what is parked or stays so, changed."""

    taken: list[int] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)


class Courier:
    """Tells ``sink`` everything it wants, lane by lane.

    A refused event waits in the database, and with it all that follow in its lane; others go on.
    When nothing is taken any more, the sink rests, and what is due next is the one probe of
    whether it is back: so an outage costs one event its tries, not all of them.
    """

    def __init__(
        self,
        sink: Sink,
        events: EventRepository,
        transactions: Transactions,
        confirm: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """``confirm`` raises in the transaction under way when we may not move the sink on."""
        self.sink = sink
        self._events, self._begin, self._confirm, self._clock = (
            events,
            transactions,
            confirm,
            clock,
        )
        self._progress = Progress(sink.name, 0)
        self._woken, self._leaves = asyncio.Event(), False

    def wake(self) -> None:
        """There is something new."""
        self._woken.set()

    def leave(self) -> None:
        """Have ``run`` end once what is being told now is settled."""
        self._leaves = True
        self.wake()

    async def run(self) -> None:
        """Go on until ``leave``."""
        known = blind = False
        while not self._leaves:
            self._woken.clear()
            try:
                if not known:
                    self._progress = await self._events.progress(self.sink.name)
                    known = True
                busy = await self.step()
                blind = False
            except Exception as error:  # noqa: BLE001  # nothing may end this task
                known = busy = False
                if not blind:
                    log.warning(
                        "a sink waits (%s)", type(error).__name__, extra={"sink": self.sink.name}
                    )
                blind = True
                await asyncio.sleep(1.0)
            if not busy and not self._leaves:
                await self._pause()

    async def _pause(self) -> None:
        """Wait for news, for what is due, or for the end of the rest."""
        wait, now = IDLE, self._clock()
        with suppress(Exception):  # the database is away: the wait is as good as any
            if due := await self._events.next_due(self.sink.name):
                wait = min(wait, (due - now).total_seconds())
        if until := self._progress.resting_until:
            wait = min(IDLE, (until - now).total_seconds())
            self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(wait, 0.01)):
                await self._woken.wait()

    async def step(self) -> bool:
        """Tell the sink a batch of what is due again and of what is new; whether there is more."""
        if self._rests():
            known = await self._events.progress(self.sink.name)
            self._progress.resting_until = known.resting_until  # somebody may have ended it
        if self._rests():
            return False
        is_probe = self._progress.resting_until is not None
        again = await self._tell_again(1 if is_probe else self.sink.at_once)
        if is_probe and self._progress.resting_until is not None and again:
            return False
        return await self._tell_new() or again

    def _rests(self) -> bool:
        until = self._progress.resting_until
        return until is not None and until > self._clock()

    async def _tell_again(self, lanes: int) -> bool:
        """Tell what is parked and due, in at most so many lanes; whether there was any."""
        due = await self._events.due(self.sink.name, lanes)
        await asyncio.gather(*(self._tell_lane_again(lane) for lane in due))
        return bool(due)

    async def _tell_lane_again(self, lane: str) -> None:
        parked, changed = await self._events.lane(self.sink.name, lane, LANE_MAX), Round()
        for each in parked:
            reason = await self._tell(each.told)
            if reason is None:
                changed.taken.append(each.told.position)
                continue
            await self._refused(each, reason)
            changed.parked.append(each)
            if each.state is not DeliveryState.DEAD:
                break
        async with self._begin():
            await self._confirm()
            await self._events.settle(self.sink.name, changed.taken, changed.parked)
            await self._events.wake_next(self.sink.name, lane)
            await self._events.save(self._progress)

    async def _tell_new(self) -> bool:
        """Tell the next batch; whether it was a full one."""
        batch = await self._events.after(self._progress.position, BATCH)
        if not batch:
            return False
        wanted = [told for told in batch if self.sink.wants(told)]
        found = await self._tell_lanes(wanted)
        self._progress.position = batch[-1].position
        async with self._begin():
            await self._confirm()
            await self._events.park(self.sink.name, found.parked)
            await self._events.save(self._progress)
        return len(batch) == BATCH

    async def _tell_lanes(self, wanted: Sequence[Told]) -> Round:
        lanes: dict[str, list[Told]] = {}
        for told in wanted:
            lanes.setdefault(told.lane, []).append(told)
        blocked = await self._events.blocked(self.sink.name, lanes) if lanes else set()
        found, places = Round(), asyncio.Semaphore(self.sink.at_once)

        async def tell(lane: str, events: list[Told]) -> None:
            async with places:
                await self._tell_lane(events, found, is_blocked=lane in blocked)

        await asyncio.gather(*(tell(lane, events) for lane, events in lanes.items()))
        return found

    async def _tell_lane(self, events: Iterable[Told], found: Round, *, is_blocked: bool) -> None:
        for told in events:
            if is_blocked:
                found.parked.append(Parked(told, 0, DeliveryState.BEHIND))
            elif self._progress.resting_until is not None:  # since a moment ago
                waits = Parked(told, 0, due_at=self._progress.resting_until)
                found.parked.append(waits)
                is_blocked = True
            elif (reason := await self._tell(told)) is not None:
                parked = Parked(told, 0)
                await self._refused(parked, reason)
                found.parked.append(parked)
                is_blocked = parked.state is not DeliveryState.DEAD

    async def _tell(self, told: Told) -> SinkRefused | None:
        """Tell the sink one event; what it said if it did not take it."""
        try:
            await self.sink.take(told)
        except SinkRefused as refused:
            return refused
        except Exception as error:  # noqa: BLE001  # a sink's own trouble is a refusal
            log.warning("a sink failed (%s)", type(error).__name__, extra={"sink": self.sink.name})
            return SinkRefused(type(error).__name__)
        DELIVERIES.add(kind_of(self.sink.name), "taken")
        self._progress.failures = 0
        self._progress.resting_until = self._progress.error = None
        return None

    async def _refused(self, parked: Parked, refusal: SinkRefused) -> None:
        """Note a refusal: when the event is due again, and whether the sink is to rest."""
        now = self._clock()
        parked.attempts += 1
        parked.error = refusal.reason
        schedule = self.sink.schedule
        if refusal.final or parked.attempts > len(schedule):
            parked.state = DeliveryState.DEAD
            parked.due_at = now
            DELIVERIES.add(kind_of(self.sink.name), "given_up")
            log.error(
                "a sink was not told: %s",
                refusal.reason,
                extra={"sink": self.sink.name, "event": str(parked.told.id)},
            )
            if isinstance(self.sink, Despairing):
                await self.sink.gave_up(parked.told)
        else:
            wait = schedule[parked.attempts - 1] * _dice.uniform(0.9, 1.1)
            parked.state = DeliveryState.WAITING
            DELIVERIES.add(kind_of(self.sink.name), "refused")
            parked.due_at = now + max(wait, refusal.after or timedelta())
        if not refusal.final:
            self._strike(refusal)

    def _strike(self, refusal: SinkRefused) -> None:
        self._progress.failures += 1
        self._progress.error = refusal.reason[:255]
        beyond = self._progress.failures - STRIKES
        if beyond >= 0 or refusal.after:
            rest = min(REST_MAX, 2.0 ** max(beyond, 0))
            wait = max(timedelta(seconds=rest), refusal.after or timedelta())
            self._progress.resting_until = self._clock() + wait
