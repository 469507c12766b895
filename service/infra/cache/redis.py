"""The cache in Redis, shared by every process."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from redis.exceptions import ResponseError

from service.infra.cache import scripts
from service.infra.cache.base import BytesCache
from service.infra.cache.codec import is_readable
from service.infra.cache.debts import Debts
from service.infra.cache.link import Link
from service.infra.cache.port import CacheUnavailable, Tally

_LEASE = b"\0lease"
"""Ends the name of a lease; no key of ours holds NUL."""
_LEASE_TTL = timedelta(seconds=5)
_POLL = 0.02
_BATCH = 500
_MILLISECOND = timedelta(milliseconds=1)


class RedisCache(BytesCache):
    """A cache that Redis may leave at any time: slower then, never wrong.

    What this process could not remove it removes before it asks Redis anything else, so an old
    value is not served once Redis is back.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "arcana:",
        default_ttl: timedelta = timedelta(hours=1),
        timeout: timedelta = timedelta(milliseconds=200),
        patience: timedelta = timedelta(seconds=1),
        connections: int = 50,
    ) -> None:
        super().__init__(prefix=prefix, default_ttl=default_ttl, patience=patience)
        self._link = Link(url, timeout=timeout.total_seconds(), connections=connections)
        self._redis = self._link.redis
        self._write_script = self._redis.register_script(scripts.WRITE)
        self._settle_script = self._redis.register_script(scripts.SETTLE)
        self._count_script = self._redis.register_script(scripts.COUNT)
        self._debts = Debts(self._prefix)
        self._paying = asyncio.Lock()

    @property
    def is_away(self) -> bool:
        """Whether Redis is not asked, because it did not answer."""
        return self._link.is_away

    async def ping(self) -> bool:
        try:
            return bool(await self._link.ask("ping", self._redis.ping))
        except CacheUnavailable:
            return False

    async def close(self) -> None:
        await self._link.close()

    async def _read(self, name: bytes) -> bytes | None:
        try:
            return await self._find(name)
        except CacheUnavailable:
            return None

    async def _find(self, name: bytes) -> bytes | None:
        data: bytes | None = await self._ask("get", lambda: self._redis.get(name))
        return data

    async def _write(self, name: bytes, data: bytes, ttl: timedelta) -> bool:
        keys, args = (name, name + _LEASE), (data, _milliseconds(ttl))
        with self._debts.unless_done(name=name):  # what stood there before may still stand
            await self._ask("set", lambda: self._write_script(keys=keys, args=args))
            return True
        return False

    async def _remove(self, name: bytes) -> bool:
        with self._debts.unless_done(name=name):
            removed: int = await self._ask("delete", partial(self._unlink, [name]))
            return removed > 0
        return False

    async def _remove_prefix(self, start: bytes) -> int:
        with self._debts.unless_done(prefix=start):
            await self._pay()
            return await self._sweep(start)
        return 0

    async def _count(self, name: bytes, amount: int, ttl: timedelta) -> Tally:
        args = [amount, _milliseconds(ttl)]

        async def count() -> Any:
            try:
                return await self._count_script(keys=[name], args=args)
            except ResponseError as error:
                if re.search("integer|overflow|WRONGTYPE", str(error)):
                    raise TypeError("Not a counter, or one beyond 64 bits.") from None
                raise

        # Once only: after a time-out nobody knows whether the first try counted.
        text, left = await self._ask("increment", count, tries=1)
        return Tally(int(text), left * _MILLISECOND)

    async def _expire(self, name: bytes, ttl: timedelta) -> bool:
        end = _milliseconds(ttl)
        try:
            return bool(await self._ask("expire", lambda: self._redis.pexpire(name, end)))
        except CacheUnavailable:
            return False

    async def _claim(self, name: bytes) -> bytes | str | None:
        lease, until = secrets.token_hex(8), time.monotonic() + self._patience
        try:
            while not await self._lease(name, lease):
                if time.monotonic() > until:
                    return None
                await asyncio.sleep(_POLL)
                data = await self._find(name)
                if data is not None and is_readable(data):
                    return data
        except CacheUnavailable:
            return None
        return lease

    async def _lease(self, name: bytes, lease: str) -> bool:
        take = partial(self._redis.set, name + _LEASE, lease, nx=True, px=_LEASE_TTL)
        return bool(await self._ask("lease", take))

    async def _settle(self, name: bytes, lease: str, data: bytes | None, ttl: timedelta) -> None:
        keys, end = (name, name + _LEASE), _milliseconds(ttl)
        args = (lease, end) if data is None else (lease, end, data)
        try:
            await self._ask("fill", lambda: self._settle_script(keys=keys, args=args))
        except CacheUnavailable:
            return  # the lease ends by itself

    async def _unlink(self, names: list[bytes]) -> int:
        """Remove names and their leases, and say how many names there were."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.unlink(*(name + _LEASE for name in names))
        pipe.unlink(*names)
        _, removed = await pipe.execute()
        return int(removed)

    async def _sweep(self, start: bytes) -> int:
        """Remove every name that begins with ``start``, in batches and without KEYS.

        Twice: a value whose making ended during the first pass may have escaped it.
        """
        pattern = re.sub(rb"([*?\[\]\\])", rb"\\\1", start) + b"*"
        removed = 0
        for _ in range(2):
            cursor: int | None = None
            while cursor != 0:
                scan = partial(self._redis.scan, cursor or 0, match=pattern, count=_BATCH)
                cursor, found = await self._link.ask("scan", scan)
                removed += await self._unlink_batch(found)
        return removed

    async def _unlink_batch(self, found: list[bytes]) -> int:
        names = list({name.removesuffix(_LEASE) for name in found})
        if not names:
            return 0
        removed: int = await self._link.ask("delete", partial(self._unlink, names))
        return removed

    async def _ask(
        self, operation: str, ask: Callable[[], Awaitable[Any]], *, tries: int = 2
    ) -> Any:
        """What Redis answers, once everything owed to it is paid.

        Raises:
            CacheUnavailable: it does not answer, or refuses.
        """
        if self._debts:
            await self._pay()
        return await self._link.ask(operation, ask, tries=tries)

    async def _pay(self) -> None:
        async with self._paying:
            names, prefixes = self._debts.owed()
            for start in range(0, len(names), _BATCH):
                await self._unlink_batch(list(names)[start : start + _BATCH])
            for prefix in prefixes:
                await self._sweep(prefix)
            self._debts.paid(names, prefixes)


def _milliseconds(ttl: timedelta) -> int:
    return max(1, ttl // _MILLISECOND)
