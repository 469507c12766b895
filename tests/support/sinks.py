"""Sinks that do as they are told, and who is told by them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from service.core.events import Sink, SinkRefused, Told

QUICK = tuple(timedelta(seconds=seconds) for seconds in (0.05, 0.1, 0.1))


@dataclass
class NotingSink:
    """Notes what it is told; ``refuse`` says what it does not take, and why."""

    name: str = "notes"
    at_once: int = 8
    schedule: Sequence[timedelta] = QUICK
    told: list[Told] = field(default_factory=list)
    tries: list[Told] = field(default_factory=list)
    refuse: Callable[[Told], SinkRefused | None] = lambda told: None
    wanted: Callable[[Told], bool] = lambda told: True

    def wants(self, told: Told) -> bool:
        return self.wanted(told)

    async def take(self, told: Told) -> None:
        await asyncio.sleep(0)
        self.tries.append(told)
        if refusal := self.refuse(told):
            raise refusal
        self.told.append(told)

    def subjects(self, lane: str | None = None) -> list[str]:
        """What it was told of, once each, in the order of the first time."""
        mine = (t.subject for t in self.told if lane is None or t.lane == lane)
        return list(dict.fromkeys(mine))


@dataclass
class FixedSinks:
    """``core.events.Sinks`` of those that it was given."""

    sinks: list[Sink]

    async def all(self) -> list[Sink]:
        return self.sinks
