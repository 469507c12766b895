"""Counting tries, over the cache."""

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import timedelta

from service.core import metrics
from service.core.errors import Limited
from service.infra.cache import Cache, CacheUnavailable, MemoryCache, Tally

_LEAST_WAIT = timedelta(milliseconds=1)


class CacheLimiter:
    """Counts in fixed windows, each begun by its first try, for all processes that share the cache.

    A subject stands in the cache only as a keyed hash: it may be an e-mail address. While the
    cache is away this process counts alone, for at most ``max_subjects`` subjects; nobody is let
    through uncounted, and nobody is kept out by the outage.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        secret: bytes,
        max_subjects: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._own = MemoryCache(max_entries=max_subjects, clock=clock)
        self._secret = secret

    async def hit(self, kind: str, subject: str, *, at_most: int, within: timedelta) -> None:
        """Count a try, refused ones too; they do not lengthen the window.

        Raises:
            Limited: it is one too many; ``retry_after`` is what is left of the window.
        """
        tally = await self._count(self._key(kind, subject), within)
        if tally.count > at_most:
            metrics.LIMITED.add(kind)
            raise Limited(max(tally.remaining, _LEAST_WAIT))

    async def forget(self, kind: str, subject: str) -> None:
        """Start the count of ``subject`` anew."""
        key = self._key(kind, subject)
        await self._own.delete(key)
        await self._cache.delete(key)

    async def _count(self, key: str, within: timedelta) -> Tally:
        try:
            return await self._cache.tally(key, ttl=within)
        except CacheUnavailable:
            return await self._own.tally(key, ttl=within)

    def _key(self, kind: str, subject: str) -> str:
        text = f"{kind}\0{subject}".encode("utf-8", "surrogatepass")
        return f"limit:{hmac.digest(self._secret, text, hashlib.sha256)[:16].hex()}"


class NoLimits:
    """Lets everything through, for RATE_LIMITS=off."""

    async def hit(self, kind: str, subject: str, *, at_most: int, within: timedelta) -> None:
        pass

    async def forget(self, kind: str, subject: str) -> None:
        pass
