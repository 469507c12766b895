"""Named queries over what one sink was not told, and what it is to be told again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from service.core.clock import Clock, utc_now
from service.core.events import Told
from service.events.models import Delivery, DeliveryState, SinkProgress, StoredEvent
from service.events.repository import EventRepository, Parked, parked_of, told_of

_ERROR_MAX = 255


class Replays:
    """A sink's backlog, as whoever looks after the sink sees and changes it."""

    def __init__(self, events: EventRepository, clock: Clock = utc_now) -> None:
        self._events, self._clock = events, clock

    async def sinks(self, prefix: str) -> list[str]:
        """The sinks that are known, of those whose names begin with ``prefix``."""
        names = SinkProgress.filter(name__startswith=prefix).order_by("name")
        return list(await names.values_list("name", flat=True))  # type: ignore[arg-type]  # texts

    async def errors(self, sinks: Iterable[str]) -> dict[str, str]:
        """What went wrong last at each sink at which anything did since it took something."""
        rows = SinkProgress.filter(name__in=list(sinks), error__not_isnull=True)
        return {row.name: row.error or "" for row in await rows}

    async def note_error(self, sink: str, error: str) -> None:
        """Keep what went wrong at a sink, before whoever tells it does."""
        await SinkProgress.filter(name=sink).update(error=error[:_ERROR_MAX])

    async def undelivered(self, sink: str, after: int, size: int) -> list[Parked]:
        """What a sink did not take or waits behind that, also the dead, beyond a position."""
        waiting = Delivery.filter(sink=sink, position__gt=after)
        rows = await waiting.order_by("position").limit(size)
        return await parked_of(rows)

    async def position_of(self, event_id: UUID) -> int | None:
        """The place of an event; None when there is none of that id, or it has no place yet."""
        row = await StoredEvent.filter(uuid=event_id).first()
        return row.position if row else None

    async def told_between(
        self, sink: str, first: int, since: datetime | None, size: int
    ) -> Sequence[Told]:
        """The first ``size`` events that a sink was told of, from a position and an instant on."""
        progress = await self._events.progress(sink)
        rows = StoredEvent.filter(position__gte=first, position__lte=progress.position)
        if since is not None:
            rows = rows.filter(at__gte=since)
        return [told_of(row) for row in await rows.order_by("position").limit(size)]

    async def tell_again(self, sink: str, events: Sequence[Told]) -> int:
        """Have a sink told events once more that it was told of before; how many that makes.

        What is parked already stays as it is, but the dead come back to life. Each lane is told in
        order, with whatever else waits there. Call it inside a transaction that no other of its
        kind for this sink runs beside.
        """
        positions = [told.position for told in events]
        parked = await Delivery.filter(sink=sink, position__in=positions)
        dead = [row.position for row in parked if row.state is DeliveryState.DEAD]
        now = self._clock()
        if dead:
            again = Delivery.filter(sink=sink, position__in=dead)
            state = DeliveryState.WAITING
            await again.update(state=state, attempts=0, due_at=now, updated_at=now)
        known = {row.position for row in parked}
        fresh = _in_lanes(told for told in events if told.position not in known)
        await self._events.park(sink, fresh)
        return len(fresh) + len(dead)


def _in_lanes(events: Iterable[Told]) -> list[Parked]:
    """Events to be told, the first of each lane at once and the others behind it."""
    lanes: set[str] = set()
    parked = []
    for told in events:
        state = DeliveryState.BEHIND if told.lane in lanes else DeliveryState.WAITING
        parked.append(Parked(told, 0, state))
        lanes.add(told.lane)
    return parked
