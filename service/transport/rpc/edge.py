"""A grpclib server with limits, where grpclib 0.4.9 has none.

Two of its private parts are used, ``Server._protocol_factory`` with ``_handlers`` and
``Server._server``; hence the pin. What is refused here is answered by the guard like any refusal.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from grpclib.encoding.proto import ProtoCodec
from grpclib.protocol import H2Protocol
from grpclib.protocol import Stream as Http2Stream
from grpclib.server import Handler, Server
from hyperframe.frame import GoAwayFrame

from service.transport.rpc.arrival import ARRIVAL, read_headers
from service.transport.rpc.faults import Compressed, Malformed, TooLarge

_log = logging.getLogger("arcana.rpc")
_PREFIX = 5
"""Bytes before each message: one flag and its length (gRPC over HTTP/2)."""
_FLUSH = 1.0
"""Seconds a closed connection has to take what was written to it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes one message and one call may send."""

    message: int = 4 << 20
    stream: int = 64 << 20


class StrictCodec(ProtoCodec):
    """Says of a message that cannot be read that the caller wrote it wrongly."""

    def decode(self, data: bytes, message_type: Any) -> Any:
        try:
            return super().decode(data, message_type)
        except Exception:  # noqa: BLE001  # the codecs raise many kinds; each means the same
            raise Malformed from None


class Inbound:
    """Reads the messages of one call, and refuses at the prefix what must not be read."""

    def __init__(
        self, read: Callable[[int], Awaitable[bytes]], limits: Limits, *, needs_message: bool
    ) -> None:
        self._read, self._limits, self._needs_message = read, limits, needs_message
        self._at_prefix, self._total = True, 0

    async def __call__(self, size: int) -> bytes:
        """The next ``size`` bytes; grpclib asks for a prefix and a message by turns.

        Raises:
            Malformed, Compressed, TooLarge.
        """
        if self._at_prefix:
            return await self._prefix()
        self._at_prefix = True
        self._total += size
        if size > self._limits.message or self._total > self._limits.stream:
            raise TooLarge
        message = await self._bytes(size)
        if len(message) != size:
            raise Malformed
        return message

    async def _prefix(self) -> bytes:
        prefix = await self._bytes(_PREFIX)
        if not prefix and self._needs_message:
            raise Malformed
        if prefix and prefix[0]:
            raise Compressed
        self._at_prefix, self._needs_message = not prefix, False
        return prefix

    async def _bytes(self, size: int) -> bytes:
        """All of them, or none at the end of the stream."""
        try:
            return await self._read(size)
        except AssertionError:  # the caller ended the stream in the middle
            raise Malformed from None


class EdgeHandler(Handler):
    """Starts the calls of one connection, and lets go of each exactly once."""

    last_id = 0

    def __init__(self, plain: Handler, limits: Limits, unknown: str) -> None:
        super().__init__(plain.mapping, plain.codec, plain.status_details_codec, plain.dispatch)
        self._limits, self._unknown = limits, unknown
        self._held: dict[Http2Stream, Callable[[], Any]] = {}

    def accept(
        self, stream: Http2Stream, headers: list[tuple[str, str]], release_stream: Callable[[], Any]
    ) -> None:
        kept, arrived = read_headers(headers)
        said = dict(kept)
        path = said.get(":path")
        if path not in self.mapping:
            kept = [(n, v) for n, v in kept if n != ":path"] + [(":path", self._unknown)]
        if ":method" not in said:
            kept.append((":method", ""))
        method = self.mapping.get(path or "")
        one_message = method is not None and not method.cardinality.client_streaming
        inbound = Inbound(stream.recv_data, self._limits, needs_message=one_message)
        stream.recv_data = inbound  # type: ignore[method-assign]  # the one seam below messages
        self.last_id = stream.id or self.last_id
        self._held[stream] = release_stream
        token = ARRIVAL.set(arrived)
        try:
            super().accept(stream, kept, lambda: self._release(stream))
        finally:
            ARRIVAL.reset(token)

    def cancel(self, stream: Http2Stream) -> None:
        super().cancel(stream)
        self._release_unbegun([stream])

    def close(self) -> None:
        super().close()
        self._release_unbegun(list(self._held))

    def _release_unbegun(self, streams: list[Http2Stream]) -> None:
        """A task cancelled before its first step never releases its stream."""
        for stream in streams:
            if stream.wrapper is None:
                self._release(stream)

    def _release(self, stream: Http2Stream) -> None:
        if release := self._held.pop(stream, None):
            release()


class EdgeProtocol(H2Protocol):
    """One connection; ``connections`` holds those that are open."""

    handler: EdgeHandler
    transport: asyncio.Transport

    def __init__(self, plain: H2Protocol, handler: Handler, connections: set["EdgeProtocol"]):
        super().__init__(handler, plain.config, plain.h2_config)
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        super().connection_made(transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001  # such as header bytes beyond ASCII
            _log.warning("Bad HTTP/2, connection closed", extra={"error": type(error).__name__})
            self.processor.close("bad HTTP/2")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.discard(self)
        super().connection_lost(exc)

    def leave(self) -> None:
        """Tell the peer that no more calls are served, and close once everything is written.

        The frame is written by hand: h2's own way of closing forbids any further answer.
        """
        if not self.transport.is_closing():
            frame = GoAwayFrame(0, last_stream_id=self.handler.last_id, error_code=0)
            self.transport.write(frame.serialize())
        self.processor.close("server stopped")


class EdgeServer(Server):
    """Serves ``handlers`` within ``limits``; calls of no method go to the one at ``unknown``."""

    def __init__(self, handlers: Any, *, limits: Limits, unknown: str, **others: Any) -> None:
        super().__init__(handlers, codec=StrictCodec(), **others)
        self._limits, self._unknown = limits, unknown
        self.connections: set[EdgeProtocol] = set()

    def _protocol_factory(self) -> H2Protocol:
        plain = super()._protocol_factory()
        unlimited = cast("Handler", plain.handler)
        self._handlers.discard(unlimited)
        handler = EdgeHandler(unlimited, self._limits, self._unknown)
        self._handlers.add(handler)
        return EdgeProtocol(plain, handler, self.connections)

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        server: Any = self._server
        return int(server.sockets[0].getsockname()[1])

    def stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()

    async def hang_up(self) -> None:
        """Close every connection and cancel what still runs; takes at most some seconds.

        Not ``Server.wait_closed``: from Python 3.12 on it waits for clients to leave.
        """
        for connection in list(self.connections):
            connection.leave()
        until = self._loop.time() + _FLUSH
        while self.connections and self._loop.time() < until:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.transport.abort()
        ends = [asyncio.ensure_future(handler.wait_closed()) for handler in self._handlers]
        if ends:
            await asyncio.wait(ends, timeout=_FLUSH)
