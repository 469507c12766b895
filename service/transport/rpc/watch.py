"""The clocks and counts of one connection: when it is to be asked, to leave, or cut."""

import random
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Protocol

from grpclib.protocol import Connection
from h2.events import (
    AlternativeServiceAvailable,
    DataReceived,
    Event,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    StreamReset,
    UnknownFrameReceived,
    WindowUpdated,
)

from service.transport.rpc.limits import KIB, Allowance, Limits

_CARRY_NOTHING = (
    PingReceived,
    RemoteSettingsChanged,
    PriorityUpdated,
    WindowUpdated,
    UnknownFrameReceived,
    AlternativeServiceAvailable,
)
_FOR_EACH_CALL = 4
"""Frames that carry nothing which a call entitles to."""
_FOR_EACH_KIB = 2
"""And each KiB sent: a peer gives leave for more of the stream and of the connection."""
_LAST_WORDS = 1.0
"""Seconds a closed connection has to take what was written to it."""


class Verdict(Enum):
    """What is to be done with a connection."""

    STAY = auto()
    ASK = auto()
    """Ping it."""
    LEAVE = auto()
    """Bring it to its end without failing a call."""
    CUT = auto()


class Clocks:
    """When things last happened on a connection, in the loop's time."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits, self._born = limits, now
        # by chance, so that clients that came together do not come back together
        self._age = limits.age * random.uniform(0.9, 1.1)  # noqa: S311  # no secret
        self.greeted, self.heard = False, now
        self.blocked: float | None = None
        """Since when the peer does not read."""
        self.closed: float | None = None
        self._asked: float | None = None
        self._busy = now
        self.why = ""

    def look(self, now: float, *, busy: bool) -> Verdict:
        """What is due; ``busy`` while a call is under way. ``why`` says why it is cut."""
        self._busy = now if busy else self._busy
        if why := self._overdue(now):
            self.why = why
            return Verdict.CUT
        if now - self._born > self._age or now - self._busy > self._limits.idle:
            return Verdict.LEAVE
        if busy and self._asked is None and now - self.heard > self._limits.quiet:
            self._asked = now
            return Verdict.ASK
        return Verdict.STAY

    def _overdue(self, now: float) -> str:
        limits = self._limits
        if self._asked is not None and self.heard > self._asked:
            self._asked = None
        waits: Mapping[str, tuple[float | None, float]] = {
            "closed and not read": (self.closed, _LAST_WORDS),
            "no greeting": (None if self.greeted else self._born, limits.greeting),
            "does not read": (self.blocked, limits.stall),
            "no sign of life": (self._asked, limits.pong),
            "too old": (self._born, self._age + 1.1 * limits.age),
            "idle": (self._busy, 2 * limits.idle),
        }
        due = (why for why, (since, wait) in waits.items() if since and now - since > wait)
        return next(due, "")


class Calls(Protocol):
    """What is asked about the calls of a connection."""

    begun: int

    @property
    def are_full(self) -> bool:
        """Whether one more would be refused."""


class Counts:
    """What a peer did that costs us more than it, against what it was given leave to do."""

    def __init__(self, limits: Limits, connection: Connection, calls: Calls, now: float) -> None:
        self._limits, self._connection, self._calls = limits, connection, calls
        self._resets = Allowance(limits.resets, now)
        self._nuisances = Allowance(limits.nuisances, now)
        self._earned = 0.0

    def excess(self, event: Event, settings: Mapping[Any, int], now: float) -> str:
        """What the peer did too often, with ``event``; nothing when all is well."""
        if isinstance(event, StreamReset):
            return "" if self._resets.spend(now) else "rapid reset"
        if isinstance(event, RemoteSettingsChanged) and len(settings) > self._limits.settings:
            return "too many settings"
        if self._carries_nothing(event):
            return "" if self._spare(now) else "flood"
        return ""

    def _carries_nothing(self, event: Event) -> bool:
        if isinstance(event, RequestReceived):
            return self._calls.are_full  # it is going to be refused
        return isinstance(event, _CARRY_NOTHING) or _is_empty(event)

    def _spare(self, now: float) -> bool:
        """Bear with one more of those; False when that is too much."""
        sent = self._connection.data_sent / KIB
        earned = self._calls.begun * _FOR_EACH_CALL + sent * _FOR_EACH_KIB
        self._nuisances.earn(earned - self._earned)
        self._earned = earned
        return self._nuisances.spend(now)


def _is_empty(event: Event) -> bool:
    """Data of no bytes that does not end its stream."""
    return isinstance(event, DataReceived) and not event.data and event.stream_ended is None
