"""The cache: one interface, in Redis or in this process; see docs/decisions/0004."""

from datetime import timedelta

from service.infra.cache.cached import cached
from service.infra.cache.memory import MemoryCache
from service.infra.cache.port import MISS, Cache, CacheUnavailable, Tally
from service.infra.cache.redis import RedisCache

__all__ = [
    "MISS",
    "Cache",
    "CacheUnavailable",
    "MemoryCache",
    "RedisCache",
    "Tally",
    "cached",
    "open_cache",
]


def open_cache(
    redis_url: str | None,
    *,
    prefix: str = "arcana:",
    default_ttl: timedelta = timedelta(hours=1),
) -> Cache:
    """The cache in Redis at ``redis_url``, or without one the cache of this process alone.

    Nothing is connected yet; ask ``ping`` whether Redis answers.

    Raises:
        ValueError: ``redis_url`` is not the address of a Redis, or ``default_ttl`` not positive.
    """
    if redis_url is None:
        return MemoryCache(default_ttl=default_ttl)
    return RedisCache(redis_url, prefix=prefix, default_ttl=default_ttl)
