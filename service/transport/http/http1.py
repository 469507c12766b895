"""HTTP/1 as Sanic reads it, behind a guard that sees the bytes first."""

import asyncio
from enum import Enum, auto
from time import monotonic
from typing import Any

from sanic.exceptions import (
    BadRequest,
    ExpectationFailed,
    MethodNotAllowed,
    PayloadTooLarge,
    RequestTimeout,
)
from sanic.http import Http, Stage
from sanic.http.http1 import HTTP_CONTINUE
from sanic.response import BaseHTTPResponse

from service.core.errors import Unavailable
from service.transport.http.framing import (
    CHUNKS_MAX,
    Malformed,
    begins_chunk,
    has_strays,
    head_fault,
)
from service.transport.http.routes import METHODS
from service.transport.purses import Purse

LINGER = 1.0
"""Seconds that a refused caller may go on sending: closed at once, a socket with unread bytes is
reset, and the refusal in it may be lost (RFC 9112 §9.6)."""


class Phase(Enum):
    """What a connection waits for, and so which time-out it is under."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    ENDING = auto()


class GuardedHttp(Http):
    """Reads requests from one connection. Nothing is parsed before its framing was checked.

    Once cut, not a byte more of the connection is read as a request. What it relies on of Sanic:
    the methods that it overrides, ``_receive_more``, ``_send``, and the attributes they keep.
    """

    __slots__ = ("bodies", "chunks", "held", "is_cut", "is_first", "is_pipelined", "phase", "since")

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        self.bodies: Purse = protocol.app.ctx.http_bodies
        self.held = 0
        self.is_cut, self.is_first, self.is_pipelined = False, True, False
        self.enter(Phase.HEAD)

    def enter(self, phase: Phase) -> None:
        """The clock of ``phase`` begins."""
        self.phase, self.since = phase, monotonic()

    def cut(self) -> None:
        """This request is the last: what has come after it, and may still come, is no request."""
        self.keep_alive, self.is_cut = False, True
        self.request_body, self.expecting_continue = None, False

    async def http1(self) -> None:
        try:
            await super().http1()
        finally:
            self._let_go()
        if self.is_cut:
            await self._linger()

    def _let_go(self) -> None:
        """The body of the last request is needed no more."""
        self.bodies.give_back(self.held)
        self.held = 0

    def init_for_request(self) -> None:
        super().init_for_request()
        self._let_go()
        self.chunks, self.is_pipelined = 0, bool(self.recv_buffer)
        if not self.is_first:
            self.enter(Phase.IDLE)

    async def http1_request_header(self) -> None:
        if not self.is_first:
            self.enter(Phase.HEAD)
        if self.is_pipelined:
            await asyncio.sleep(0)  # a thousand requests in one packet must not keep others waiting
        end = self.recv_buffer.find(b"\r\n\r\n")
        if end < 0:
            end = await self._end_of_head()
        self._check(end)
        await super().http1_request_header()
        self._check_expectations()
        self.is_first = False
        self.upgrade_websocket = False  # Sanic stops its clocks for whoever asks for one
        if (self.request_bytes_left or 0) > self.protocol.request_max_size:
            raise PayloadTooLarge
        self.enter(Phase.BODY if self.request_body else Phase.ANSWER)

    async def _end_of_head(self) -> int:
        """Where the head ends, once all of it is there.

        Raises:
            PayloadTooLarge: it is longer than a head may be.
            Malformed: what has come of it can't become one.
        """
        received: bytearray = self.recv_buffer
        seen = 0
        while (end := received.find(b"\r\n\r\n", max(0, seen - 3))) < 0:
            if len(received) >= self.HEADER_MAX_SIZE:
                raise PayloadTooLarge
            if has_strays(received, max(0, seen - 1)):
                raise Malformed("A header holds a control character, or a line ends in half.")
            seen = len(received)
            await self._receive_more()
        return end

    def _check(self, end: int) -> None:
        """Raises: PayloadTooLarge, Malformed, MethodNotAllowed."""
        if end >= self.HEADER_MAX_SIZE:
            raise PayloadTooLarge
        head = bytes(self.recv_buffer[:end])
        fault = head_fault(head)
        if fault is not None:
            raise Malformed(fault)
        if head.startswith(b"CONNECT "):  # its target is no address that could be routed
            raise MethodNotAllowed("", "CONNECT", METHODS)

    def _check_expectations(self) -> None:
        """Ask for no body that does not come, and none of HTTP/1.0 (RFC 9110 §10.1.1).

        Raises:
            ExpectationFailed: there are several, and one is unknown; Sanic reads the first alone.
        """
        if not self.expecting_continue:
            return
        expected = self.request.headers.getall("expect")
        if any(value.rstrip().lower() != "100-continue" for value in expected):
            raise ExpectationFailed
        if self.request.version == "1.0" or not (self._is_chunked or self.request_bytes_left):
            self.expecting_continue = False

    async def read(self) -> bytes | None:
        try:
            if self._is_chunked and self.request_bytes_left == 0:
                await self._check_chunk()
            data: bytes | None = await super().read()
            self._hold(len(data or b""))
        except (BadRequest, PayloadTooLarge, Unavailable):
            self.cut()
            raise
        if not self.request_body:
            self.enter(Phase.ANSWER)
        return data

    def _hold(self, size: int) -> None:
        """Raises: Unavailable, when all callers together have us hold too much."""
        self.bodies.take(size)
        self.held += size

    @property
    def _is_chunked(self) -> bool:
        body: Any = self.request_body  # for Sanic it is a text, True or None
        return bool(body == "chunked")

    async def _check_chunk(self) -> None:
        """Wait for the size line of the next chunk. Raises: Malformed."""
        if (
            self.expecting_continue
        ):  # Sanic would send it too late: after the chunk that it asks for
            self.expecting_continue = False
            await self._send(HTTP_CONTINUE)
        self.chunks += 1
        if self.chunks > CHUNKS_MAX:
            raise Malformed("The body comes in too many chunks.")
        while not (begins := begins_chunk(self.recv_buffer)):
            if begins is False:
                raise Malformed("A chunk is malformed.")
            await self._receive_more()

    def respond(self, response: BaseHTTPResponse) -> BaseHTTPResponse:
        if self.expecting_continue:  # refused unread: whether the body comes now, nobody can tell
            self.cut()
        return super().respond(response)

    async def error_response(self, exception: Exception) -> None:
        if self.stage is Stage.REQUEST and self._is_lost:
            return  # nobody has asked anything yet, and nobody is there to be answered
        if self.stage is Stage.REQUEST or isinstance(exception, RequestTimeout):
            self.cut()
        await super().error_response(exception)

    @property
    def _is_lost(self) -> bool:
        return self.protocol.conn_info is not None and self.protocol.conn_info.lost

    def create_empty_request(self) -> None:
        if self.head_only is None:  # Sanic has not read the method yet
            self.head_only = self.recv_buffer.startswith(b"HEAD ")
        super().create_empty_request()
        self.request.conn_info = self.protocol.conn_info

    async def _linger(self) -> None:
        """Say that nothing more will come, and throw away what still does, for a moment."""
        transport = self.protocol.transport
        if transport is None or transport.is_closing():
            return
        self.enter(Phase.ENDING)
        transport.write_eof()
        try:
            async with asyncio.timeout(LINGER):
                while True:
                    self.recv_buffer.clear()
                    await self._receive_more()
        except TimeoutError:
            pass
