"""What a caller sends: bytes into messages, each refused as early as it can be."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from grpclib.encoding.proto import ProtoCodec
from grpclib.protocol import Buffer

from service.transport.purses import Purse
from service.transport.rpc.faults import Compressed, Malformed, NotOneMessage, TooLarge
from service.transport.rpc.limits import KIB, Limits

_PREFIX = 5
"""Bytes before each message: one flag and its length (gRPC over HTTP/2)."""
_UNNAMED = ("", "identity")
"""Encodings in which nothing is compressed."""
_SMALL = 64 * KIB
"""Messages up to here are not worth counting: the bound on calls bounds them."""


class StrictCodec(ProtoCodec):
    """Says of a message that cannot be read that the caller wrote it wrongly."""

    def decode(self, data: bytes, message_type: Any) -> Any:
        try:
            return super().decode(data, message_type)
        except Exception:  # noqa: BLE001  # the codecs raise many kinds; each means the same
            raise Malformed from None


class Inbox(Buffer):
    """The bytes of one call that have come and are not read.

    grpclib's own keeps each frame apart: a message cut into frames of one byte takes two hundred
    times its size. And here the caller is only given leave to send more when somebody waits for it.
    ``length`` is how many there are in all, where the caller said that (RFC 9113 §8.1.1).
    """

    length: int | None = None

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        self._acknowledge, self._owed = acknowledge, 0
        self._data, self._ended, self._news = bytearray(), False, asyncio.Event()
        self._came = 0

    def add(self, data: bytes, ack_size: int) -> None:
        self._data += data
        self._came += len(data)
        self._owed += ack_size
        self._news.set()

    def eof(self) -> None:
        self._ended = True
        self._news.set()

    async def read(self, size: int) -> bytes:
        """Just ``size`` bytes, or none at the end.

        Raises:
            Malformed: the caller ended in the middle, or sent another number of bytes than it said.
        """
        while len(self._data) < size and not self._ended:
            self._news.clear()
            self._acknowledge(self.unacked_size())
            await self._news.wait()
        if self._is_misstated or (self._data and len(self._data) < size):
            raise Malformed
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    @property
    def _is_misstated(self) -> bool:
        if self.length is None:
            return False
        return self._came > self.length or (self._ended and self._came < self.length)

    def unacked_size(self) -> int:
        """What the caller was not yet given leave to send again; from now on it was."""
        owed, self._owed = self._owed, 0
        return owed


class Inbound:
    """Reads the messages of one call, and refuses at the prefix what must not be read.

    A large message is paid for out of ``purse`` until the next one is read, or the call is over.
    Of a method that takes ``one_message`` that is handed on when the caller has ended the stream
    behind it, not before: nothing is done for a call that is not whole.
    """

    def __init__(
        self,
        read: Callable[[int], Awaitable[bytes]],
        limits: Limits,
        purse: Purse,
        *,
        one_message: bool,
        encoding: str = "",
    ) -> None:
        self._read, self._limits, self._purse = read, limits, purse
        self._one_message, self._at_prefix = one_message, True
        self._is_encoded = encoding not in _UNNAMED
        self._is_read, self._total, self._claimed = False, 0, 0

    async def __call__(self, size: int) -> bytes:
        """The next ``size`` bytes; grpclib asks for a prefix and a message by turns.

        Raises:
            Malformed, Compressed, TooLarge, NotOneMessage.
            Unavailable: too many large messages are held at once.
        """
        if self._at_prefix:
            return await self._prefix()
        self._at_prefix = True
        self._total += size
        if size > self._limits.message or self._total > self._limits.stream:
            raise TooLarge
        if size > _SMALL:
            self._purse.take(size)
            self._claimed = size
        message = await self._read(size)
        if len(message) != size:
            raise Malformed
        if self._one_message:
            await self._end()
        return message

    async def _prefix(self) -> bytes:
        self.let_go()
        prefix = await self._read(_PREFIX)
        if not prefix and self._one_message and not self._is_read:
            raise NotOneMessage
        if prefix and prefix[0]:
            raise Compressed if prefix[0] == 1 and self._is_encoded else Malformed
        self._at_prefix, self._is_read = not prefix, True
        return prefix

    async def _end(self) -> None:
        """Wait until the caller has said that this was all."""
        if await self._read(_PREFIX):
            raise NotOneMessage

    def let_go(self) -> None:
        """Give back what was taken for the last message."""
        claimed, self._claimed = self._claimed, 0
        self._purse.give_back(claimed)
