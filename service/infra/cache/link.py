"""The line to Redis: short time-outs, one retry, a breaker, and a quiet log."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.core import tracing
from service.core.metrics import CACHE_ERRORS
from service.infra.cache.port import CacheUnavailable

log = logging.getLogger(__name__)

_REST = 0.5
"""Seconds between two questions of the one that tries while Redis is away."""
_COMPLAIN_EVERY = 60.0


class Link:
    """Asks Redis, and knows when not to.

    After a failure nobody asks any more, so nobody waits, until a task of its own has had an
    answer. It logs the operation and the kind of error, never a key or a value: they may hold
    addresses.
    """

    def __init__(self, url: str, *, timeout: float, connections: int) -> None:
        self.redis = plain_client(url, timeout, connections)
        self._timeout = timeout
        self.is_away = False
        self._probing: asyncio.Task[None] | None = None
        self._complained: float | None = None

    async def ask(
        self, operation: str, ask: Callable[[], Awaitable[Any]], *, tries: int = 2
    ) -> Any:
        """What Redis answers to ``ask``, which is called again after a lost connection or time-out.

        Raises:
            CacheUnavailable: Redis does not answer, or refuses.
        """
        error: Exception | None = None
        for _ in range(tries):
            if self.is_away:
                break
            try:
                with tracing.step("cache", operation):
                    answer = await ask()
            except (RedisConnectionError, RedisTimeoutError, InvalidResponse) as failure:
                error = failure
                CACHE_ERRORS.add(operation)
            except ResponseError as refusal:
                CACHE_ERRORS.add(operation)
                self._complain(operation, refusal)
                raise CacheUnavailable from None
            else:
                return answer
        if error is not None:
            self._failed(operation, error)
        raise CacheUnavailable

    async def close(self) -> None:
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        await self.redis.aclose()

    def _failed(self, operation: str, error: Exception) -> None:
        if _is_crowd(error):
            self._complain(operation, error)
        elif not self.is_away:
            self.is_away = True
            self._probing = asyncio.create_task(self._until_it_answers())
            log.warning(
                "Redis does not answer (%s: %s); going on without it.",
                operation,
                type(error).__name__,
            )

    async def _until_it_answers(self) -> None:
        while self.is_away:
            await asyncio.sleep(_REST)
            try:
                async with asyncio.timeout(self._timeout):
                    await self.redis.ping()
            except (RedisError, OSError, TimeoutError):
                continue
            self.is_away = False
            log.info("Redis answers again.")

    def _complain(self, operation: str, error: Exception) -> None:
        """Log what is no reason to stop asking: read-only, out of memory, a crowded pool."""
        now = time.monotonic()
        if self._complained is None or now - self._complained > _COMPLAIN_EVERY:
            self._complained = now
            log.warning("Redis refuses (%s: %s).", operation, type(error).__name__)


def plain_client(url: str, timeout: float, connections: int) -> Redis:
    """A client that gives up after ``timeout`` seconds and never retries by itself.

    It would otherwise repeat increments, and multiply retries of commands and of connections.
    RESP 2, because with 3 redis-py does not look for left-over answers before it reuses a
    connection.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
    except ValueError:  # its text may show a part of the password
        raise ValueError("The Redis URL must look like redis://host:6379/0.") from None
    return Redis.from_pool(pool)


def _is_crowd(error: Exception) -> bool:
    """Whether every connection was busy, which says nothing about the server."""
    return type(error) is RedisConnectionError and isinstance(error.__cause__, asyncio.TimeoutError)
