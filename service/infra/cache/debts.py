"""Removals that Redis did not confirm, so that it does not serve the old value once it is back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from service.infra.cache.port import CacheUnavailable


class Debts:
    """Names and prefixes still to be removed, at most ``limit``; beyond, everything is.

    A debt taken on again while it is being paid stays one: the payment may have come too early
    for it.
    """

    def __init__(self, everything: bytes, limit: int = 10_000) -> None:
        self._everything = everything
        self._limit = limit
        self._names: dict[bytes, object] = {}
        self._prefixes: dict[bytes, object] = {}

    def __bool__(self) -> bool:
        return bool(self._names or self._prefixes)

    @contextmanager
    def unless_done(
        self, *, name: bytes | None = None, prefix: bytes | None = None
    ) -> Iterator[None]:
        """Owe the removal if the block does not end well; that the cache is away stops here."""
        try:
            yield
        except CacheUnavailable:
            self._owe(name, prefix)
        except asyncio.CancelledError:
            self._owe(name, prefix)
            raise

    def owed(self) -> tuple[dict[bytes, object], dict[bytes, object]]:
        """The names and the prefixes to remove now; hand them to ``paid`` afterwards."""
        return dict(self._names), dict(self._prefixes)

    def paid(self, names: dict[bytes, object], prefixes: dict[bytes, object]) -> None:
        """Strike what ``owed`` gave."""
        _strike(self._names, names)
        _strike(self._prefixes, prefixes)

    def _owe(self, name: bytes | None, prefix: bytes | None) -> None:
        if name is not None:
            self._names[name] = object()
        if prefix is not None:
            self._prefixes[prefix] = object()
        if len(self._names) + len(self._prefixes) > self._limit:
            self._names.clear()
            self._prefixes = {self._everything: object()}


def _strike(owed: dict[bytes, object], paid: dict[bytes, object]) -> None:
    for name, token in paid.items():
        if owed.get(name) is token:
            del owed[name]
