"""One HTTP/2 connection, from its greeting to its end."""

import asyncio
import logging
import socket
from typing import cast

from grpclib.protocol import EventsProcessor, H2Protocol
from grpclib.server import Handler
from h2.config import H2Configuration
from h2.connection import AllowedStreamIDs, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    AlternativeServiceAvailable,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    SettingsAcknowledged,
    UnknownFrameReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from h2.stream import H2Stream
from hyperframe.frame import GoAwayFrame

from service.transport.purses import Purse
from service.transport.rpc.farewell import FLUSH, Farewell
from service.transport.rpc.handler import EdgeHandler
from service.transport.rpc.limits import Limits
from service.transport.rpc.portions import Portions
from service.transport.rpc.streams import EdgeConnection
from service.transport.rpc.watch import Clocks, Counts, Verdict

_log = logging.getLogger("arcana.rpc")

_BURST = 10
"""How many times more calls than it may have a peer can begin before it has read how many."""
_TABLE = 4096
"""Bytes of our headers that are remembered to shorten the next; a peer may only ask for less."""
_ARE_YOU_THERE = b"are you?"


class _Http2(H2Connection):
    MAX_CLOSED_STREAMS = 2048
    """Ended calls that are remembered; h2's 65,536 are 6 MB of each connection."""

    def _begin_new_stream(self, stream_id: int, allowed_ids: AllowedStreamIDs) -> H2Stream:
        """Without h2's look at ``content-length``, which ends the connection: ``Inbox`` looks."""
        stream = super()._begin_new_stream(stream_id, allowed_ids)
        stream._initialize_content_length = _unread  # type: ignore[method-assign]  # see above
        return stream


class EdgeProtocol(H2Protocol):
    """One connection; ``connections`` holds those that are open."""

    handler: EdgeHandler
    transport: asyncio.Transport
    connection: EdgeConnection

    def __init__(
        self,
        plain: H2Protocol,
        handler: Handler,
        limits: Limits,
        purse: Purse,
        connections: set["EdgeProtocol"],
    ) -> None:
        # header bytes beyond ASCII are refused by call: others' calls come by the same connection
        config = H2Configuration(client_side=False, header_encoding="latin-1")
        for name in ("inbound", "outbound"):
            setattr(config, f"validate_{name}_headers", False)
            setattr(config, f"normalize_{name}_headers", False)
        super().__init__(handler, plain.config, config)
        self._limits, self._connections = limits, connections
        self._purse = Purse(limits.claims, purse)
        self.farewell, self._sent_off = Farewell(self), False
        self.handler.is_late = lambda: self.farewell.refuses

    @property
    def last_id(self) -> int:
        return self.handler.last_id

    @property
    def breaks_on_goaway(self) -> bool:
        return self.handler.breaks_on_goaway

    @property
    def heard_at(self) -> float:
        """When the peer last said something, or was last answered: it may be about to read that."""
        return max(self._clocks.heard, self.handler.released_at)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        _send_at_once(transport)
        self._clocks = Clocks(self._limits, self.handler.loop.time())
        self._http2 = self._greet()
        self.connection = EdgeConnection(
            self._http2, self.transport, config=self.config, limits=self._limits, purse=self._purse
        )
        self.connection.flush()
        self.processor = EventsProcessor(self.handler, self.connection)
        self.processor.processors.update(
            {
                PingAckReceived: self.farewell.hear_ping,
                SettingsAcknowledged: self._hear_greeting,
                UnknownFrameReceived: _ignore,
                AlternativeServiceAvailable: _ignore,
            }
        )
        self._counts = Counts(self._limits, self.connection, self.handler, self.handler.loop.time())
        self._portions = Portions(self.transport, self._digest)
        self._looking = self.handler.loop.call_later(self._limits.look, self._look)
        self._connections.add(self)
        if len(self._connections) > self._limits.connections:
            self._longest_idle()._cut("too many connections")

    def _longest_idle(self) -> "EdgeProtocol":
        """Who makes room; nobody with a call does, but rather the newcomer itself."""
        idle = [c for c in self._connections if c is not self and not c.processor.streams]
        return min(idle, key=lambda one: one.heard_at, default=self)

    def _greet(self) -> H2Connection:
        """Tell the peer our limits. Those that we hold it to leave room for what was on its way."""
        http2, limits = _Http2(self.h2_config), self._limits
        told = {
            SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.headers,
            SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window,
        }
        http2.local_settings = Settings(client=False, initial_values=told)
        http2.initiate_connection()
        held_to = told | {SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams * _BURST}
        http2.local_settings = Settings(client=False, initial_values=held_to)
        http2.increment_flow_control_window(limits.window - http2.inbound_flow_control_window)
        return http2

    def data_received(self, data: bytes) -> None:
        self._clocks.heard = self.handler.loop.time()
        self._portions.take(data)

    def _digest(self, data: bytes) -> None:
        if self._is_over:
            return
        try:
            events = self.connection.feed(data)
            self.connection.flush()
            for event in events:
                self._process(event)
                if self._is_over:
                    return
            self.connection.flush()
        except ProtocolError as error:
            self.connection.flush()  # h2 has a GOAWAY ready
            self._close(type(error).__name__)
        except Exception as error:  # noqa: BLE001  # h2 raises other kinds for some malformed frames
            self._send_off(ErrorCodes.PROTOCOL_ERROR, type(error).__name__)

    def _process(self, event: Event) -> None:
        excess = self._counts.excess(event, self._http2.remote_settings, self.handler.loop.time())
        if excess:
            self._send_off(ErrorCodes.ENHANCE_YOUR_CALM, excess)
            return
        if isinstance(event, RemoteSettingsChanged):
            self._http2.encoder.header_table_size = min(
                self._http2.encoder.header_table_size, _TABLE
            )
        self.processor.process(event)
        if self.transport.get_write_buffer_size() > self._limits.unsent:
            self._cut("does not read")

    def _hear_greeting(self, event: SettingsAcknowledged) -> None:
        self._clocks.greeted = True

    def pause_writing(self) -> None:
        self._clocks.blocked = self._clocks.blocked or self.handler.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._clocks.blocked = None
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._looking.cancel()
        self._connections.discard(self)
        super().connection_lost(exc)

    def _look(self) -> None:
        """Do what is due; over and over, until the connection is gone."""
        loop = self.handler.loop
        now = loop.time()
        self._looking = loop.call_later(self._limits.look, self._look)
        if self.transport.is_closing():
            self._clocks.closed = self._clocks.closed or now
        verdict = self._clocks.look(now, busy=bool(self.processor.streams))
        if verdict is Verdict.CUT:
            self._cut(self._clocks.why)
        elif self._is_over:
            return
        elif verdict is Verdict.LEAVE:
            self.farewell.advance(now, insist=False)
        elif verdict is Verdict.ASK:
            self._http2.ping(_ARE_YOU_THERE)
            self.connection.flush()

    def _send_off(self, code: ErrorCodes, why: str) -> None:
        """Tell the peer what it did wrong, and close.

        The frame is written by hand: h2 may be in a state in which it sends none.
        """
        frame = GoAwayFrame(0, last_stream_id=self.last_id, error_code=code)
        self.transport.write(frame.serialize())
        self._close(why)

    def _close(self, why: str) -> None:
        """End the calls, and a little later the connection.

        At once what the peer sent meanwhile would make TCP drop what it was told.
        """
        _log.warning("Connection closed", extra={"why": why})
        self._sent_off = True
        self.handler.close()
        self.handler.loop.call_later(FLUSH, self.processor.close, why)

    @property
    def _is_over(self) -> bool:
        return self._sent_off or self.connection.is_closing()

    def _cut(self, why: str) -> None:
        _log.warning("Connection cut", extra={"why": why})
        self.processor.close(why)
        self.transport.abort()


def _send_at_once(transport: asyncio.BaseTransport) -> None:
    """Without Nagle's delay, also where asyncio does not see that a socket is TCP's."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _unread(headers: object) -> None:
    """Instead of a look at ``content-length``."""


def _ignore(event: Event) -> None:
    """Frames of kinds that nobody knows are no error (RFC 9113 §5.5)."""
