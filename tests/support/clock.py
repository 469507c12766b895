"""A clock for tests: it stands still until it is told to move."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)


class MovingClock:
    """A ``core.clock.Clock`` that moves only when told, so no test ever sleeps."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        """Move on by a span, as ``timedelta`` takes it: ``clock.forward(seconds=11)``."""
        self.now += timedelta(**span)

    def reset(self) -> None:
        self.now = START

    @contextmanager
    def earlier(self, **span: float) -> Iterator[None]:
        """Within the block it is that much earlier."""
        held, self.now = self.now, self.now - timedelta(**span)
        try:
            yield
        finally:
            self.now = held
