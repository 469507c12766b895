"""What backs the credentials seen lately, kept while the change feed vouches for it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from service.core.errors import Unavailable
from service.core.metrics import CACHE_READS
from service.infra.changes import Change, ChangeFeed

T = TypeVar("T")

LIFETIME = 60.0
"""Seconds that anything is kept, whatever the feed says: a row changed by hand is met by then."""


class Owned(NamedTuple, Generic[T]):
    """What was read of a credential, and the user whose changes may change it."""

    user_id: UUID
    value: T


Read = Callable[[], Awaitable[Owned[T] | None]]


@dataclass(slots=True, eq=False)
class _Entry(Generic[T]):
    """A value, or None for "no such credential", read under ``mark``; kept until ``ends``."""

    user_id: UUID
    value: T | None
    mark: int
    ends: float


class Standings(Generic[T]):
    """What backs each credential, by its id: a session, an API key.

    Invariant: what it gives holds every change of its user that this worker made, or that any
    worker acknowledged ``changes.BOUND`` seconds ago. So a revocation is a change like any other,
    nothing can be forgotten, and a warm credential costs no query. While the feed is behind, the
    database is asked; while that is away, too, what Redis keeps telling of will do; and when
    nobody can tell, callers are refused, or let in as they were last known with ``fail_open``.
    """

    def __init__(
        self,
        feed: ChangeFeed,
        *,
        fail_open: bool = False,
        max_entries: int = 50_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed, self._fail_open, self._clock = feed, fail_open, clock
        self._max_entries = max_entries
        self._entries: OrderedDict[UUID, _Entry[T]] = OrderedDict()
        self._aloft: dict[UUID, asyncio.Future[_Entry[T] | None]] = {}
        self._losses = 0
        feed.subscribe(self._ignore, self._forget_all)

    def __len__(self) -> int:
        return len(self._entries)

    async def get(
        self, key: UUID, user_id: UUID | None, read: Read[T], presumed: T | None = None
    ) -> T | None:
        """What backs ``key``, from memory or by ``read``; None when nothing does.

        ``user_id`` is its user where the credential itself tells, so that "nothing" can be kept,
        too; where it does not, that holds for one seen before. ``presumed`` is given with
        ``fail_open`` for one that was never seen.

        Raises:
            Unavailable: nobody can tell.
        """
        entry = self._entries.get(key)
        if entry is not None and self._is_good(entry):
            CACHE_READS.add("standing", "memory")
            return entry.value
        CACHE_READS.add("standing", "miss")
        owner = entry.user_id if entry is not None and user_id is None else user_id
        try:
            found = await self._joined(key, owner, read)
        except Unavailable:
            return self._blindly(entry, presumed)
        return found.value if found else None

    def _is_good(self, entry: _Entry[T]) -> bool:
        return self._clock() < entry.ends and self._feed.trusts(entry.user_id, entry.mark)

    def _blindly(self, entry: _Entry[T] | None, presumed: T | None) -> T | None:
        """Raises: Unavailable, when nobody can tell and that keeps callers out."""
        if entry is not None and self._feed.trusts_blindly(entry.user_id, entry.mark):
            return entry.value
        if not self._fail_open or (entry is None and presumed is None):
            raise Unavailable
        return entry.value if entry is not None else presumed

    async def _joined(self, key: UUID, user_id: UUID | None, read: Read[T]) -> _Entry[T] | None:
        """One reading at a time for all who ask; what it found counts if it is trusted still."""
        flight = self._aloft.get(key)
        if flight is not None:
            entry = await asyncio.shield(flight)
            if entry is not None and self._is_good(entry):
                return entry
        return await self._lead(key, user_id, read)

    async def _lead(self, key: UUID, user_id: UUID | None, read: Read[T]) -> _Entry[T] | None:
        flight: asyncio.Future[_Entry[T] | None] = asyncio.get_running_loop().create_future()
        self._aloft[key] = flight
        entry: _Entry[T] | None = None
        try:
            mark, losses = self._feed.mark(user_id), self._losses
            owned = await read()
            owner = owned.user_id if owned else user_id
            if owner is not None:
                value = owned.value if owned else None
                entry = _Entry(owner, value, mark, self._clock() + LIFETIME)
                if losses == self._losses:
                    self._keep(key, entry)
            return entry
        finally:
            flight.set_result(entry)
            if self._aloft.get(key) is flight:
                del self._aloft[key]

    def _keep(self, key: UUID, entry: _Entry[T]) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def forget(self, key: UUID) -> None:
        """Have ``key`` read again: somebody knows more of it than we do."""
        self._entries.pop(key, None)

    def _ignore(self, change: Change) -> None:
        """Marks tell what a change outdates; nothing needs to be looked for."""

    def _forget_all(self) -> None:
        self._losses += 1
        self._entries.clear()
