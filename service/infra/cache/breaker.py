"""A breaker: after a failure, ask seldom."""

import time
from collections.abc import Callable


class Breaker:
    """Closed while all is well; open for ``rest`` seconds after a failure, then one may try.

    Nothing is held while that one tries, so it may be cancelled without a trace.
    """

    def __init__(self, rest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest = rest
        self._clock = clock
        self._until: float | None = None

    @property
    def is_open(self) -> bool:
        return self._until is not None

    def lets_through(self) -> bool:
        """Whether to try now; while open, True once per ``rest``."""
        if self._until is None:
            return True
        if self._clock() < self._until:
            return False
        self._until = self._clock() + self._rest
        return True

    def trip(self) -> bool:
        """Open, or stay open longer; True if it was closed."""
        was_closed = self._until is None
        self._until = self._clock() + self._rest
        return was_closed

    def reset(self) -> bool:
        """Close; True if it was open."""
        was_open = self._until is not None
        self._until = None
        return was_open
