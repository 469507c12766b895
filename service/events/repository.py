"""Named queries over the outbox: events in their order, and how far each sink has been told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.functions import Count, Min

from service.core.clock import Clock, utc_now
from service.core.events import Told
from service.events.models import Delivery, DeliveryState, SinkProgress, StoredEvent
from service.infra.database.rows import in_dialect, raw_client

ORDER = "@order"
"""The row of ``sinks`` that keeps the last position given, also when every event is purged."""
PLACED_AT_ONCE = 500
PURGED_AT_ONCE = 500
KEPT = timedelta(days=7)
"""How long an event stays that everybody was told of; a watcher may resume that far back."""
DEAD_KEPT = timedelta(days=30)
"""How long one stays that was given up at a sink."""
_ERROR_MAX = 255
_LIVE = (DeliveryState.WAITING, DeliveryState.BEHIND)


@dataclass(slots=True)
class Progress:
    """How far a sink has been told, and whether it rests."""

    name: str
    position: int
    failures: int = 0
    resting_until: datetime | None = None
    error: str | None = None


@dataclass(slots=True)
class Parked:
    """An event that a sink has yet to be told."""

    told: Told
    attempts: int
    state: DeliveryState = DeliveryState.WAITING
    due_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a sink has yet to be told. ``oldest`` is when the first of it happened."""

    sink: str
    behind: int
    waiting: int
    dead: int
    failures: int
    oldest: datetime | None
    resting_until: datetime | None
    error: str | None


class EventRepository:
    """The outbox as its one relay, and whoever watches, sees it."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def place(self) -> int:
        """Give the next positions to a batch of what has been committed, and say how many.

        What was committed before another transaction began comes before what that one wrote. Call
        it inside a transaction, in one process at a time.
        """
        unplaced = StoredEvent.filter(position__isnull=True).order_by("id")
        ids = list(await unplaced.limit(PLACED_AT_ONCE).values_list("id", flat=True))
        if not ids:
            return 0
        last = await SinkProgress.filter(name=ORDER).select_for_update().first()
        top = last.position if last else await self._highest()
        query = "UPDATE events SET position = ? WHERE id = ?"
        rows = [[top + number, id_] for number, id_ in enumerate(ids, 1)]
        client = raw_client()
        await client.execute_many(in_dialect(client.capabilities.dialect, query), rows)
        await self._keep_order(top + len(ids), is_new=last is None)
        return len(ids)

    async def _keep_order(self, top: int, *, is_new: bool) -> None:
        if is_new:
            await SinkProgress.create(name=ORDER, position=top, updated_at=self._clock())
        else:
            await SinkProgress.filter(name=ORDER).update(position=top, updated_at=self._clock())

    async def _highest(self) -> int:
        placed = StoredEvent.filter(position__not_isnull=True)
        last = await placed.order_by("-position").first()
        return last.position or 0 if last else 0

    async def top(self) -> int:
        """The last position that was given; 0 before the first."""
        last = await SinkProgress.filter(name=ORDER).first()
        return last.position if last else 0

    async def oldest(self) -> int:
        """The first position of which the event is still there; one beyond the top if none is."""
        found = (
            await StoredEvent.filter(position__not_isnull=True)
            .order_by("position")
            .limit(1)
            .values_list("position", flat=True)
        )
        return int(found[0]) if found else await self.top() + 1  # type: ignore[call-overload]

    async def after(self, position: int, size: int, types: Iterable[str] = ()) -> Sequence[Told]:
        """The ``size`` events that follow ``position``; only of ``types`` if there are any."""
        rows = StoredEvent.filter(position__gt=position)
        wanted = list(types)
        if wanted:
            rows = rows.filter(type__in=wanted)
        return [told_of(row) for row in await rows.order_by("position").limit(size)]

    async def progress(self, sink: str, *, from_start: bool = False) -> Progress:
        """How far a sink is; one not seen before begins at what comes next."""
        row = await SinkProgress.filter(name=sink).first()
        if row is None:
            position = 0 if from_start else await self.top()
            now = self._clock()
            row = await SinkProgress.create(name=sink, position=position, updated_at=now)
        return Progress(sink, row.position, row.failures, row.resting_until, row.error)

    async def save(self, progress: Progress) -> None:
        """Note how far a sink is; in the transaction that parks what it did not take."""
        await SinkProgress.filter(name=progress.name).update(
            position=progress.position,
            failures=progress.failures,
            resting_until=progress.resting_until,
            error=progress.error,
            updated_at=self._clock(),
        )

    async def blocked(self, sink: str, lanes: Iterable[str]) -> set[str]:
        """Those of ``lanes`` of which the sink has yet to be told something earlier."""
        live = Delivery.filter(sink=sink, lane__in=set(lanes)).exclude(state=DeliveryState.DEAD)
        return set(await live.distinct().values_list("lane", flat=True))  # type: ignore[arg-type]

    async def park(self, sink: str, parked: Iterable[Parked]) -> None:
        """Keep what a sink did not take, or could not be told yet."""
        now = self._clock()
        rows = [
            Delivery(
                sink=sink,
                position=each.told.position,
                lane=each.told.lane,
                state=each.state,
                attempts=each.attempts,
                due_at=each.due_at or now,
                error=(each.error or "")[:_ERROR_MAX] or None,
                updated_at=now,
            )
            for each in parked
        ]
        if rows:
            await Delivery.bulk_create(rows)

    async def due(self, sink: str, size: int) -> list[str]:
        """The lanes whose first event is to be tried again now, the one longest due first."""
        waiting = Delivery.filter(sink=sink, state=DeliveryState.WAITING, due_at__lte=self._clock())
        rows = await waiting.order_by("due_at").limit(size).values_list("lane", flat=True)
        return list(dict.fromkeys(rows))  # type: ignore[arg-type]  # texts

    async def next_due(self, sink: str) -> datetime | None:
        """When the first of what is parked is to be tried again."""
        found = (
            await Delivery.filter(sink=sink, state=DeliveryState.WAITING)
            .annotate(first=Min("due_at"))
            .group_by("sink")
            .values_list("first", flat=True)
        )
        return found[0] if found else None  # type: ignore[return-value]  # an instant

    async def lane(self, sink: str, lane: str, size: int) -> list[Parked]:
        """The first ``size`` parked events of a lane, in order, the dead left out."""
        rows = (
            await Delivery.filter(sink=sink, lane=lane)
            .exclude(state=DeliveryState.DEAD)
            .order_by("position")
            .limit(size)
        )
        return await parked_of(rows)

    async def settle(self, sink: str, done: Iterable[int], changed: Iterable[Parked]) -> None:
        """Forget parked events that were taken, and note what became of others."""
        positions = list(done)
        if positions:
            await Delivery.filter(sink=sink, position__in=positions).delete()
        now = self._clock()
        for each in changed:
            await Delivery.filter(sink=sink, position=each.told.position).update(
                state=each.state,
                attempts=each.attempts,
                due_at=each.due_at or now,
                error=(each.error or "")[:_ERROR_MAX] or None,
                updated_at=now,
            )

    async def wake_next(self, sink: str, lane: str) -> None:
        """Make the first of what is parked in a lane due, if nothing before it is left."""
        first = (
            await Delivery.filter(sink=sink, lane=lane)
            .exclude(state=DeliveryState.DEAD)
            .order_by("position")
            .first()
        )
        if first is not None and first.state is DeliveryState.BEHIND:
            await Delivery.filter(id=first.id).update(
                state=DeliveryState.WAITING, due_at=self._clock()
            )

    async def backlog(self) -> list[Backlog]:
        """What each sink has yet to be told; however many sinks and events, a few quick queries."""
        sinks = await SinkProgress.exclude(name=ORDER).order_by("name")
        if not sinks:
            return []
        top, (count, first_unplaced) = await self.top(), await self._unplaced()
        parked, first_parked = await self._parked_by_sink()
        firsts = {
            sink.name: {sink.position + 1, first_parked.get(sink.name, sink.position + 1)}
            for sink in sinks
        }
        at = await self._instants(set().union(*firsts.values()))
        if first_unplaced is not None:
            at[top + 1] = first_unplaced  # where it will be, or nearly
        return [
            Backlog(
                sink=sink.name,
                behind=max(0, top - sink.position) + count,  # positions have no gaps
                waiting=sum(parked.get((sink.name, state), 0) for state in _LIVE),
                dead=parked.get((sink.name, DeliveryState.DEAD), 0),
                failures=sink.failures,
                oldest=min((at[p] for p in firsts[sink.name] if p in at), default=None),
                resting_until=sink.resting_until,
                error=sink.error,
            )
            for sink in sinks
        ]

    async def _unplaced(self) -> tuple[int, datetime | None]:
        """How many events have no position yet, and when the first of them happened.

        In one query: asked for the first alone, PostgreSQL may look through all that are placed.
        """
        unplaced = StoredEvent.filter(position__isnull=True)
        rows = (
            await unplaced.annotate(count=Count("id"), first=Min("at"))
            .group_by("position")
            .values_list("count", "first")
        )
        return rows[0] if rows else (0, None)

    async def _parked_by_sink(self) -> tuple[dict[tuple[str, DeliveryState], int], dict[str, int]]:
        """How many are parked, by sink and state, and the first position that may yet be told."""
        rows = (
            await Delivery.annotate(count=Count("id"), first=Min("position"))
            .group_by("sink", "state")
            .values("sink", "state", "count", "first")
        )
        counts = {(row["sink"], DeliveryState(row["state"])): int(row["count"]) for row in rows}
        firsts: dict[str, int] = {}
        for row in rows:
            if row["state"] != DeliveryState.DEAD:
                firsts[row["sink"]] = min(int(row["first"]), firsts.get(row["sink"], row["first"]))
        return counts, firsts

    async def _instants(self, positions: Iterable[int]) -> dict[int, datetime]:
        """When the events at these positions happened."""
        rows = StoredEvent.filter(position__in=list(positions)).only("id", "position", "at")
        return {row.position: row.at for row in await rows if row.position is not None}

    async def parked(
        self, sink: str | None = None, *, after: int = 0, size: int = 100
    ) -> list[Delivery]:
        """What is parked, at one sink or at all, in the order of delivery rows."""
        rows = Delivery.filter(id__gt=after)
        if sink:
            rows = rows.filter(sink=sink)
        return await rows.order_by("id").limit(size)

    async def dead(self, sink: str | None = None, size: int = 100) -> list[tuple[str, Parked]]:
        """The first ``size`` events that were given up, with the sinks that were not told."""
        rows = Delivery.filter(state=DeliveryState.DEAD)
        if sink:
            rows = rows.filter(sink=sink)
        dead = await rows.order_by("sink", "position").limit(size)
        events = await StoredEvent.filter(position__in=[row.position for row in dead])
        told = {event.position: told_of(event) for event in events}
        return [
            (r.sink, Parked(told[r.position], r.attempts, r.state, r.due_at, r.error))
            for r in dead
            if r.position in told
        ]

    async def retry(self, sink: str, position: int | None = None) -> int:
        """Have dead events tried again, one or all of a sink; how many there were.

        They come after later events of their lanes, which were told meanwhile.
        """
        dead = Delivery.filter(sink=sink, state=DeliveryState.DEAD)
        if position is not None:
            dead = dead.filter(position=position)
        now = self._clock()
        return await dead.update(
            state=DeliveryState.WAITING, attempts=0, due_at=now, updated_at=now
        )

    async def hurry(self, sink: str) -> int:
        """Have what waits tried now, and let the sink rest no longer; how many waited."""
        now = self._clock()
        await SinkProgress.filter(name=sink).update(resting_until=None, updated_at=now)
        waiting = Delivery.filter(sink=sink, state=DeliveryState.WAITING)
        return await waiting.update(due_at=now, updated_at=now)

    async def drop_dead(self, sink: str | None = None, *, before: datetime | None = None) -> int:
        """Forget dead events, of one sink or of all; how many there were."""
        dead = Delivery.filter(state=DeliveryState.DEAD)
        if sink:
            dead = dead.filter(sink=sink)
        if before:
            dead = dead.filter(updated_at__lt=before)
        return await dead.delete()

    async def forget_sink(self, sink: str) -> bool:
        """Delete what is known of a sink that is no more; whether anything was."""
        await Delivery.filter(sink=sink).delete()
        return await SinkProgress.filter(name=sink).delete() > 0

    async def clean(self) -> bool:
        """Delete a batch of events that all were told and nobody needs; whether to go on.

        In the transaction under way, if there is one.
        """
        now = self._clock()
        await self.drop_dead(before=now - DEAD_KEPT)
        query = (
            "SELECT e.id AS id FROM events e WHERE e.at < ? AND e.position <= ? AND NOT EXISTS"
            " (SELECT 1 FROM deliveries d WHERE d.position = e.position) ORDER BY e.id LIMIT ?"
        )
        client = raw_client()
        rows = await client.execute_query_dict(
            in_dialect(client.capabilities.dialect, query),
            [now - KEPT, await self._told_to_all(), PURGED_AT_ONCE],
        )
        if rows:
            await StoredEvent.filter(id__in=[row["id"] for row in rows]).delete()
        return len(rows) == PURGED_AT_ONCE

    async def _told_to_all(self) -> int:
        """The position up to which every sink has been told, or has it parked."""
        found = await SinkProgress.all().values_list("position", flat=True)
        return min((int(position) for position in found), default=0)  # type: ignore[call-overload]


async def parked_of(rows: Sequence[Delivery]) -> list[Parked]:
    """Rows of the parking lot with their events, in the order of the rows."""
    events = await StoredEvent.filter(position__in=[row.position for row in rows])
    told = {event.position: told_of(event) for event in events}
    return [
        Parked(told[row.position], row.attempts, row.state, row.due_at, row.error)
        for row in rows
        if row.position in told
    ]


def told_of(row: StoredEvent) -> Told:
    assert row.position is not None  # only what has one is read
    user_id = UUID(str(row.user_id)) if row.user_id else None
    return Told(row.position, UUID(str(row.uuid)), row.type, row.subject, user_id, row.at, row.data)
