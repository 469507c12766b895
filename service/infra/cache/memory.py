"""The cache of one process, for when there is no Redis."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from service.infra.cache.base import BytesCache
from service.infra.cache.codec import INT64, Unreadable, decode
from service.infra.cache.port import Tally


@dataclass(slots=True)
class _Entry:
    data: bytes
    ends: float


class MemoryCache(BytesCache):
    """Holds at most ``max_entries`` encoded values; the one not used for longest goes first.

    ``clock`` counts seconds and never steps back.
    """

    def __init__(
        self,
        *,
        default_ttl: timedelta = timedelta(hours=1),
        max_entries: int = 10_000,
        patience: timedelta = timedelta(seconds=1),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(prefix="", default_ttl=default_ttl, patience=patience)
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._leases: dict[bytes, str] = {}
        self._max_entries = max_entries
        self._clock = clock

    def __len__(self) -> int:
        return len(self._entries)

    async def ping(self) -> bool:
        return True

    async def close(self) -> None:
        self._entries.clear()

    async def _read(self, name: bytes) -> bytes | None:
        entry = self._live(name)
        return entry.data if entry else None

    async def _write(self, name: bytes, data: bytes, ttl: timedelta) -> bool:
        self._leases.pop(name, None)
        self._keep(name, data, ttl)
        return True

    async def _remove(self, name: bytes) -> bool:
        self._leases.pop(name, None)
        found = self._live(name) is not None
        self._entries.pop(name, None)
        return found

    async def _remove_prefix(self, start: bytes) -> int:
        names = {name for name in (*self._entries, *self._leases) if name.startswith(start)}
        return sum([await self._remove(name) for name in names])

    async def _count(self, name: bytes, amount: int, ttl: timedelta) -> Tally:
        entry = self._live(name)
        count = (_number(entry.data) if entry else 0) + amount
        if count not in INT64 or amount not in INT64:
            raise TypeError("A counter holds 64 bits.")
        if entry:
            entry.data = b"%d" % count
        else:
            entry = self._keep(name, b"%d" % count, ttl)
        return Tally(count, timedelta(seconds=entry.ends - self._clock()))

    async def _expire(self, name: bytes, ttl: timedelta) -> bool:
        entry = self._live(name)
        if entry is None:
            return False
        entry.ends = self._clock() + ttl.total_seconds()
        return True

    async def _claim(self, name: bytes) -> bytes | str | None:
        lease = self._leases[name] = uuid4().hex
        return lease

    async def _settle(self, name: bytes, lease: str, data: bytes | None, ttl: timedelta) -> None:
        if self._leases.get(name) != lease:
            return
        del self._leases[name]
        if data is not None:
            self._keep(name, data, ttl)

    def _live(self, name: bytes) -> _Entry | None:
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.ends <= self._clock():
            del self._entries[name]
            return None
        self._entries.move_to_end(name)
        return entry

    def _keep(self, name: bytes, data: bytes, ttl: timedelta) -> _Entry:
        entry = self._entries[name] = _Entry(data, self._clock() + ttl.total_seconds())
        self._entries.move_to_end(name)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
        return entry


def _number(data: bytes) -> int:
    try:
        value = decode(data)
    except Unreadable:
        value = None
    if type(value) is not int:
        raise TypeError("Not a counter.")
    return value
