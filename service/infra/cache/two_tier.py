"""Plain data about users in two tiers: in this process, and behind it in Redis."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast
from uuid import UUID
from zlib import crc32

from service.core.metrics import CACHE_READS
from service.infra.cache.port import Cache
from service.infra.changes import Change, ChangeFeed
from service.infra.database.work import under_way

LIFETIME = 60.0
"""Seconds that anything stays in this process, whatever the feed says."""
BRIEF = timedelta(seconds=5)
"""How long "there is none" is believed."""
_OLD_FLIGHT = 0.3
"""Seconds after which nobody joins a reading under way, but begins another."""


class Plain(Protocol):
    """A frozen dataclass of plain data (see ``codec``), so that nothing else gets cached."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=Plain)


@dataclass(slots=True, eq=False)
class _Entry(Generic[T]):
    """A value, or None for "there is none", until ``ends``."""

    value: T | None
    ends: float


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    """A reading under way. Once ``is_void`` its result is handed out but never kept."""

    began: float
    landed: asyncio.Future[_Entry[T] | None]
    is_void: bool = False


class Shelf(Generic[T]):
    """What a repository reads about one user, by the user's id.

    Invariant: what it gives holds every change that this worker made or that any worker
    acknowledged ``changes.BOUND`` seconds ago. While the feed is not fresh enough to say so, and
    inside a transaction, it gives what the database says and keeps nothing back.
    """

    def __init__(
        self,
        kind: type[T],
        feed: ChangeFeed,
        shared: Cache | None = None,
        *,
        ttl: timedelta = timedelta(hours=1),
        max_entries: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``shared`` is the cache in Redis, where values stay for ``ttl``; None for no Redis."""
        self._kind, self._feed, self._shared, self._ttl = kind, feed, shared, ttl
        self._max_entries, self._clock = max_entries, clock
        self._entries: OrderedDict[UUID, _Entry[T]] = OrderedDict()
        self._aloft: dict[UUID, _Flight[T]] = {}
        self._lifetime = min(LIFETIME, ttl.total_seconds())
        shape = ",".join(field.name for field in fields(cast(Any, kind)))
        # Releases that differ in the fields share no values.
        self._name = kind.__name__.lower()
        self._prefix = f"{self._name}-{crc32(shape.encode()):x}:"
        feed.subscribe(self._drop, self._drop_all)

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, user_id: UUID, read: Callable[[], Awaitable[T | None]]) -> T | None:
        """What is kept of that user, or else what ``read`` finds in the database.

        Raises:
            Whatever ``read`` raises.
        """
        if under_way() is not None:
            CACHE_READS.add(self._name, "bypassed")
            return await read()
        if self._feed.is_fresh:
            entry = self._entries.get(user_id)
            if entry is not None and self._clock() < entry.ends:
                self._entries.move_to_end(user_id)
                CACHE_READS.add(self._name, "memory")
                return entry.value
        return (await self._joined(user_id, read)).value

    async def _joined(self, user_id: UUID, read: Callable[[], Awaitable[T | None]]) -> _Entry[T]:
        """One reading at a time for all who ask here; if it is cancelled, one of them leads."""
        while (flight := self._aloft.get(user_id)) is not None:
            if self._clock() - flight.began > _OLD_FLIGHT:
                break
            landed = await asyncio.shield(flight.landed)
            if landed is not None:
                return landed
        return await self._lead(user_id, read)

    async def _lead(self, user_id: UUID, read: Callable[[], Awaitable[T | None]]) -> _Entry[T]:
        flight: _Flight[T] = _Flight(self._clock(), asyncio.get_running_loop().create_future())
        self._void(user_id)
        self._aloft[user_id] = flight
        try:
            entry = self._entry(await self._behind(user_id, read))
            if not flight.is_void:
                self._keep(user_id, entry)
            flight.landed.set_result(entry)
            return entry
        except Exception as error:  # passed on to all who wait, and raised here
            flight.landed.set_exception(error)
            flight.landed.exception()  # without any nobody else would fetch it
            raise
        finally:
            if not flight.landed.done():
                flight.landed.set_result(None)
            if self._aloft.get(user_id) is flight:
                del self._aloft[user_id]

    async def _behind(self, user_id: UUID, read: Callable[[], Awaitable[T | None]]) -> T | None:
        """From Redis what the feed vouches for; twice, for what was there may have been too old."""
        for _ in range(2):
            if self._shared is None or not self._feed.is_fresh:
                break
            key = f"{self._prefix}{user_id}"
            mark, data, made = await self._filled(self._shared, key, user_id, read)
            if self._feed.trusts(user_id, mark):
                CACHE_READS.add(self._name, "miss" if made else "redis")
                return None if data is None else self._kind(*data)
            await self._shared.delete(key)
        CACHE_READS.add(self._name, "miss" if self._feed.is_fresh else "bypassed")
        return await read()

    async def _filled(
        self, shared: Cache, key: str, user_id: UUID, read: Callable[[], Awaitable[T | None]]
    ) -> tuple[int, tuple[Any, ...] | None, bool]:
        """What Redis holds, made by one worker for all, and whether by this one just now.

        Its mark is from before it was read.
        """
        made = False

        async def make() -> tuple[int, tuple[Any, ...] | None]:
            nonlocal made
            made, mark, value = True, self._feed.mark(user_id), await read()
            return mark, None if value is None else _plain(value)

        filled = await shared.get_or_set(key, make, self._ttl)
        if made and filled[1] is None:
            await shared.expire(key, BRIEF)
        return *filled, made

    def _entry(self, value: T | None) -> _Entry[T]:
        lifetime = self._lifetime if value is not None else BRIEF.total_seconds()
        return _Entry(value, self._clock() + lifetime)

    def _keep(self, user_id: UUID, entry: _Entry[T]) -> None:
        self._entries[user_id] = entry
        self._entries.move_to_end(user_id)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def _void(self, user_id: UUID) -> None:
        flight = self._aloft.pop(user_id, None)
        if flight is not None:
            flight.is_void = True

    def _drop(self, change: Change) -> None:
        self._entries.pop(change.user_id, None)
        self._void(change.user_id)

    def _drop_all(self) -> None:
        self._entries.clear()
        for user_id in list(self._aloft):
            self._void(user_id)


def _plain(value: Plain) -> tuple[Any, ...]:
    return tuple(getattr(value, field.name) for field in fields(cast(Any, value)))
