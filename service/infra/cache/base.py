"""What both back ends share: names, lifetimes, the encoding, and get_or_set."""

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from service.infra.cache.codec import Unreadable, decode, encode
from service.infra.cache.flights import Flights
from service.infra.cache.port import MISS, Tally

T = TypeVar("T")

_JITTER = 0.1
_dice = random.SystemRandom()


class BytesCache(ABC):
    """A ``Cache`` over a store of bytes.

    Who fills a missing value holds its lease meanwhile. Every write and removal breaks the lease,
    so a value read before a change is never stored after it.
    """

    def __init__(self, *, prefix: str, default_ttl: timedelta, patience: timedelta) -> None:
        self._prefix = prefix.encode()
        self._default_ttl = positive(default_ttl)
        self._patience = patience.total_seconds()
        # Twice: who leads here may first wait for another process, then make the value for all.
        self._flights: Flights[bytes] = Flights(2 * self._patience)

    async def get(self, key: str) -> Any:
        data = await self._read(self._name(key))
        if data is None:
            return MISS
        try:
            return decode(data)
        except Unreadable:
            return MISS

    async def set(self, key: str, value: object, ttl: timedelta | None = None) -> bool:
        name, lifetime, data = self._name(key), self._lifetime(ttl), encode(value)
        self._flights.forget(name)
        return await self._write(name, data, lifetime)

    async def delete(self, key: str) -> bool:
        name = self._name(key)
        self._flights.forget(name)
        return await self._remove(name)

    async def delete_prefix(self, prefix: str) -> int:
        start = self._prefix + prefix.encode()
        self._flights.forget_prefix(start)
        return await self._remove_prefix(start)

    async def get_or_set(
        self, key: str, factory: Callable[[], Awaitable[T]], ttl: timedelta | None = None
    ) -> T:
        name, lifetime = self._name(key), _with_jitter(self._lifetime(ttl))
        found: T = await self.get(key)
        if found is not MISS:
            return found
        data = await self._flights.join(name, lambda: self._fill(name, factory, lifetime))
        if data is None:
            data = encode(await factory())
        made: T = decode(data)  # a copy for each caller, and a miss gives what a hit would
        return made

    async def increment(self, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        return (await self.tally(key, amount, ttl)).count

    async def decrement(self, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        return (await self.tally(key, -amount, ttl)).count

    async def tally(self, key: str, amount: int = 1, ttl: timedelta | None = None) -> Tally:
        return await self._count(self._name(key), amount, self._lifetime(ttl))

    async def expire(self, key: str, ttl: timedelta) -> bool:
        return await self._expire(self._name(key), positive(ttl))

    async def _fill(
        self, name: bytes, factory: Callable[[], Awaitable[object]], ttl: timedelta
    ) -> bytes:
        claim = await self._claim(name)
        if isinstance(claim, bytes):
            return claim
        data: bytes | None = None
        try:
            data = encode(await factory())
            return data
        finally:
            if claim is not None:
                await self._settle(name, claim, data, ttl)

    def _name(self, key: str) -> bytes:
        if not key or "\0" in key:
            raise ValueError("A cache key must not be empty, nor contain NUL.")
        return self._prefix + key.encode()

    def _lifetime(self, ttl: timedelta | None) -> timedelta:
        return self._default_ttl if ttl is None else positive(ttl)

    @abstractmethod
    async def _read(self, name: bytes) -> bytes | None: ...

    @abstractmethod
    async def _write(self, name: bytes, data: bytes, ttl: timedelta) -> bool: ...

    @abstractmethod
    async def _remove(self, name: bytes) -> bool: ...

    @abstractmethod
    async def _remove_prefix(self, start: bytes) -> int: ...

    @abstractmethod
    async def _count(self, name: bytes, amount: int, ttl: timedelta) -> Tally: ...

    @abstractmethod
    async def _expire(self, name: bytes, ttl: timedelta) -> bool: ...

    @abstractmethod
    async def _claim(self, name: bytes) -> bytes | str | None:
        """The lease to fill ``name`` (text), its data if another filled it meanwhile (bytes), or
        None: make the value, and do not store it."""

    @abstractmethod
    async def _settle(self, name: bytes, lease: str, data: bytes | None, ttl: timedelta) -> None:
        """Give back ``lease``, and store ``data`` if the lease was still held."""


def positive(ttl: timedelta) -> timedelta:
    """``ttl`` itself.

    Raises:
        ValueError: it is zero or less; that never means "for ever", nor "the default".
    """
    if ttl <= timedelta(0):
        raise ValueError("A ttl must be longer than nothing.")
    return ttl


def _with_jitter(ttl: timedelta) -> timedelta:
    return ttl * _dice.uniform(1 - _JITTER, 1 + _JITTER)
