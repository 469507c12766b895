"""Totals of long lists: counted behind the requests, not by them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta

from service.infra.cache import MISS, Cache

Count = Callable[[], Awaitable[int]]

log = logging.getLogger("arcana.totals")


@dataclass(slots=True)
class _Held:
    total: int
    counted: float
    asked: float
    count: Count


class Totals:
    """Counts that are never older than ``max_age`` seconds, from the moment counting began.

    Only the first to ask for a total waits for it. As long as somebody goes on asking, one task
    counts again ahead of time, one total after the other, and others' counts are taken from the
    cache. A total that nobody asked for in ``idle`` seconds is let go of, and so is the one asked
    for longest ago when there are more than ``most``.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        max_age: float = 5.0,
        refresh_after: float = 2.0,
        idle: float = 15.0,
        most: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache, self._clock = cache, clock
        self._max_age, self._refresh_after = max_age, refresh_after
        self._idle, self._most = idle, most
        self._held: dict[str, _Held] = {}
        self._flights: dict[str, asyncio.Task[int]] = {}
        self._owner: asyncio.Task[None] | None = None

    def held(self, key: str) -> int | None:
        """The total of ``key`` if it is held and young enough."""
        held, now = self._held.get(key), self._clock()
        if held is None or now - held.counted > self._max_age:
            return None
        held.asked = now
        return held.total

    async def get(self, key: str, count: Count) -> int:
        """The total of ``key``; ``count`` finds it, and finds it again while it is asked for.

        Raises:
            Whatever ``count`` does.
        """
        held = self.held(key)
        if held is not None:
            return held
        flight = self._flights.get(key)
        if flight is None or flight.get_loop() is not asyncio.get_running_loop():
            # A context of its own: it must outlive the request, and its transaction if it has one.
            flight = asyncio.create_task(self._first(key, count), context=Context())
            self._flights[key] = flight
        return await asyncio.shield(flight)

    async def close(self) -> None:
        """Stop counting."""
        tasks = [*self._flights.values(), *([self._owner] if self._owner else [])]
        self._owner = None
        self._held.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _first(self, key: str, count: Count) -> int:
        try:
            total = await self._count(key, count)
        finally:
            self._flights.pop(key, None)
        if self._owner is None or self._owner.done():
            self._owner = asyncio.create_task(self._keep(), context=Context())
        return total

    async def _count(self, key: str, count: Count) -> int:
        began, name = self._clock(), f"total:{key}"
        known = await self._cache.get(name)
        if known is not MISS:  # another worker's, at most refresh_after old
            total, began = int(known), began - self._refresh_after
        else:
            total = await count()
            await self._cache.set(name, total, ttl=timedelta(seconds=self._refresh_after))
        before = self._held.pop(key, None)
        asked = before.asked if before else self._clock()
        self._held[key] = _Held(total, began, asked, count)
        while len(self._held) > self._most:
            del self._held[min(self._held, key=lambda name: self._held[name].asked)]
        return total

    async def _keep(self) -> None:
        while self._held:
            await asyncio.sleep(self._refresh_after / 4)
            now = self._clock()
            for key, held in list(self._held.items()):
                if now - held.asked > self._idle:
                    self._held.pop(key, None)
                elif self._clock() - held.counted >= self._refresh_after:
                    await self._again(key, held)

    async def _again(self, key: str, held: _Held) -> None:
        try:
            await self._count(key, held.count)
        except Exception as error:  # noqa: BLE001  # whoever asks next meets it and is told
            log.warning("a total could not be counted: %s", type(error).__name__)
            self._held.pop(key, None)
