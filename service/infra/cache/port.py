"""What a cache does, whichever holds it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Final, Protocol, TypeVar

from service.core.errors import Unavailable

T = TypeVar("T")


class Miss(Enum):
    """The type of ``MISS``, so that it can be told from every value."""

    MISS = "miss"

    def __repr__(self) -> str:
        return "MISS"


MISS: Final = Miss.MISS
"""What ``get`` says when there is nothing; a cached None is not nothing."""


@dataclass(frozen=True, slots=True)
class Tally:
    """A counter's value, and how long until it starts anew."""

    count: int
    remaining: timedelta


class CacheUnavailable(Unavailable):
    """The cache does not answer, and the question has no safe answer without it."""


class Cache(Protocol):
    """Plain data by key, each for a limited time.

    Values are None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, datetime,
    date, timedelta, UUID and Decimal, nested at will. They come out equal and of the same type,
    as copies. Without a ``ttl`` the default one counts. A cache that cannot be reached holds
    nothing: reads miss, writes say False, and only counting raises.

    Every method raises ValueError for an empty key, a key with NUL or half a surrogate pair, and
    for a ``ttl`` that is not positive.
    """

    async def get(self, key: str) -> Any:
        """The value under ``key``, or ``MISS``."""

    async def set(self, key: str, value: object, ttl: timedelta | None = None) -> bool:
        """Store ``value``, and say whether it was stored.

        Raises:
            TypeError: ``value`` is not plain data, so it would not come out as it went in.
        """

    async def delete(self, key: str) -> bool:
        """Remove ``key``, and say whether there was one.

        A ``get_or_set`` under way does not bring back what it read before the removal.
        """

    async def delete_prefix(self, prefix: str) -> int:
        """Remove every key that begins with ``prefix``, and say how many; "" removes all of ours.

        No character of ``prefix`` is a wildcard.
        """

    async def get_or_set(
        self, key: str, factory: Callable[[], Awaitable[T]], ttl: timedelta | None = None
    ) -> T:
        """The value under ``key``; if there is none, what ``factory`` makes, which is then stored.

        Simultaneous callers share one call of ``factory`` in a process, and its failure; across
        processes they wait for each other's value. One who waited too long makes it alone.
        ``ttl`` varies by ±10 %, so that values stored together do not end together.

        Raises:
            TypeError: what ``factory`` made is not plain data.
        """

    async def increment(self, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        """Add to a counter that starts at 0; only its first change sets ``ttl``.

        Raises:
            CacheUnavailable: nothing was counted, or nobody knows whether it was.
            TypeError: what is stored is not a 64-bit whole number, or would no longer be one.
        """

    async def decrement(self, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        """Take from a counter, as ``increment`` adds and with the same refusals."""

    async def tally(self, key: str, amount: int = 1, ttl: timedelta | None = None) -> Tally:
        """``increment`` that also says when the counter ends, with the same refusals."""

    async def expire(self, key: str, ttl: timedelta) -> bool:
        """Let ``key`` end after ``ttl`` from now, and say whether there was one."""

    async def ping(self) -> bool:
        """Whether the cache answers."""

    async def close(self) -> None:
        """Let go of every connection."""
