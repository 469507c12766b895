"""Everybody who is told of events, as one."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol, runtime_checkable

from service.core.events import Sink, Sinks


@runtime_checkable
class Closing(Protocol):
    """A sink that holds connections."""

    async def close(self) -> None:
        """Let go of them."""


class AllSinks:
    """``core.events.Sinks`` of those that the settings name and of those that come and go."""

    def __init__(self, fixed: Iterable[Sink | None] = (), changing: Iterable[Sinks] = ()) -> None:
        """``None`` is a sink that is switched off."""
        self._fixed = tuple(sink for sink in fixed if sink is not None)
        self._changing = tuple(changing)

    async def all(self) -> Sequence[Sink]:
        """Raises: whatever one of ``changing`` raises; a part must not pass for the whole."""
        found = list(self._fixed)
        for sinks in self._changing:
            found += await sinks.all()
        return found

    async def close(self) -> None:
        """Let go of what sinks hold."""
        async with AsyncExitStack() as closing:
            for sink in self._fixed:
                if isinstance(sink, Closing):
                    closing.push_async_callback(sink.close)
