"""The outbox: events written down in the transaction of what they tell of."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

import orjson

from service.core.clock import Clock, utc_now
from service.core.events import Event
from service.core.ids import new_id
from service.core.metrics import EVENTS_PUBLISHED
from service.infra.database.rows import insert_rows
from service.infra.database.work import under_way

COLUMNS = ("uuid", "type", "subject", "user_id", "at", "data")


class Outbox:
    """``core.events.Publisher`` over the events table, from which the relay takes them."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def publish(self, *events: Event) -> None:
        """Write events down in the transaction under way, after the writes they tell of.

        Raises:
            RuntimeError: there is no transaction.
        """
        work = under_way()
        if work is None:
            raise RuntimeError("An event is written down in the transaction of its cause.")
        now = self._clock()
        await insert_rows("events", COLUMNS, [_row(event, now) for event in events])
        work.after_commit(_counted(events))


def _row(event: Event, now: datetime) -> tuple[Any, ...]:
    data = orjson.dumps(event.data).decode()
    return new_id(), event.type, event.subject, event.user_id, now, data


def _counted(events: Iterable[Event]) -> Callable[[], Awaitable[None]]:
    """Count them, once they are committed, by the noun that begins their type."""
    counts = Counter(event.type.partition(".")[0] for event in events)

    async def count() -> None:
        for about, number in counts.items():
            EVENTS_PUBLISHED.add(about, amount=number)

    return count
