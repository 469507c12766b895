"""What happened, as others are told: events, the order they come in, and those who take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import orjson

from service.core.views import View, rfc3339

TYPE_PREFIX = "arcana."
"""What the type of every event begins with outside."""
CONTENT_TYPE = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is true from the commit on. ``type`` is what is said of ``subject``.

    The events of one ``user_id`` reach everybody in the order in which they were committed; those
    of none are in order among themselves.
    """

    type: str
    subject: str
    data: Mapping[str, Any]
    user_id: UUID | None = None

    @classmethod
    def of(cls, type_: str, subject: str, view: View, user_id: UUID | None, **more: Any) -> "Event":
        """An event that tells all of ``view`` as clients see it, and ``more``."""
        return cls(type_, subject, {**view.model_dump(mode="json"), **more}, user_id)


@dataclass(frozen=True, slots=True)
class Told:
    """An event on its way out. ``position`` is its place in the one order that all are told in.

    ``id`` is what whoever is told twice knows it by; ``data`` is JSON text.
    """

    position: int
    id: UUID
    type: str
    subject: str
    user_id: UUID | None
    at: datetime
    data: str

    @property
    def lane(self) -> str:
        """What keeps its order: whoever can't be told the first of a lane is told none behind."""
        return str(self.user_id or "")

    def facts(self) -> dict[str, Any]:
        """The data, read."""
        return dict(orjson.loads(self.data))


def cloud_event(told: Told, source: str) -> dict[str, Any]:
    """An event as CloudEvents 1.0 writes it, ``source`` and ``id`` being its name in the world.

    ``sequence`` (the Sequence extension) sorts as text; ``partitionkey`` (the Partitioning
    extension) is the user whose events are in order.
    """
    written: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(told.id),
        "source": source,
        "type": TYPE_PREFIX + told.type,
        "subject": told.subject,
        "time": rfc3339(told.at),
        "datacontenttype": "application/json",
        "sequence": f"{told.position:020}",
        "data": told.facts(),
    }
    if told.user_id is not None:
        written["partitionkey"] = str(told.user_id)
    return written


class Publisher(Protocol):
    """Where services write down what they did."""

    async def publish(self, *events: Event) -> None:
        """Write events down in the transaction under way: both are committed or neither.

        Raises:
            RuntimeError: there is no transaction.
        """


class SinkRefused(Exception):
    """A sink did not take an event. ``reason`` is kept and shown, so it holds no secret.

    A ``final`` refusal is not tried again; ``after`` is how long the sink wants to be left alone.
    """

    def __init__(self, reason: str, *, final: bool = False, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason, self.final, self.after = reason, final, after


class Sink(Protocol):
    """Whoever is told events: each at least once, those of a lane in their order.

    ``name`` is what its progress is kept under; ``at_once`` how many lanes it is told at a time;
    ``schedule`` the waits before each further try of one event, after which it is given up.
    """

    @property
    def name(self) -> str: ...

    @property
    def at_once(self) -> int: ...

    @property
    def schedule(self) -> Sequence[timedelta]: ...

    def wants(self, told: Told) -> bool:
        """Whether it is told of this at all."""

    async def take(self, told: Told) -> None:
        """Raises: SinkRefused; anything else that is raised is a refusal of no known reason."""


def kind_of(sink: str) -> str:
    """What kind of sink a name is of, all webhooks being one: few enough to count by."""
    return sink.partition(":")[0]


@runtime_checkable
class Despairing(Protocol):
    """A sink that wants to know which events are tried no more."""

    async def gave_up(self, told: Told) -> None:
        """May be said twice of one event."""


class Sinks(Protocol):
    async def all(self) -> Sequence[Sink]:
        """Whoever is to be told now; asked again every second or so."""


SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 5, 30, 120, 600, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""The waits of a sink that has no own mind: some 3 days in all, close together at first."""
