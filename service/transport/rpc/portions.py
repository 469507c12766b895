"""Bytes of one connection by portions, so that others have their turn in between."""

import asyncio
from collections.abc import Callable

from service.transport.rpc.limits import KIB

PORTION = 2 * KIB
"""More than most calls take, and some milliseconds' work of a peer that means harm."""


class Portions:
    """Passes on what is read. While some is left over, nothing more is read."""

    def __init__(self, transport: asyncio.Transport, digest: Callable[[bytes], None]) -> None:
        self._transport, self._digest = transport, digest
        self._loop = asyncio.get_running_loop()
        self._rest = bytearray()

    def take(self, data: bytes) -> None:
        if self._rest:
            self._rest += data
        elif len(data) <= PORTION:
            self._digest(data)
        else:
            self._rest += data
            self._transport.pause_reading()
            self._next()

    def _next(self) -> None:
        portion = bytes(self._rest[:PORTION])
        del self._rest[:PORTION]
        self._digest(portion)
        if self._transport.is_closing():
            self._rest.clear()
        elif self._rest:
            self._loop.call_soon(self._next)
        else:
            self._transport.resume_reading()
