"""What is below a call: its HTTP/2 stream, read and written within bounds."""

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from grpclib.const import Status
from grpclib.protocol import Connection
from grpclib.protocol import Stream as Http2Stream

from service.transport.purses import Purse
from service.transport.request_ids import request_id
from service.transport.rpc.arrival import Headers
from service.transport.rpc.faults import Stalled
from service.transport.rpc.inbound import Inbound, Inbox
from service.transport.rpc.limits import Limits

_log = logging.getLogger("arcana.rpc")

_NO_CALL: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "400": (str(Status.INVALID_ARGUMENT.value), "invalid_request"),
        "405": (str(Status.UNIMPLEMENTED.value), "method_not_allowed"),
        "415": (str(Status.UNIMPLEMENTED.value), "unsupported_media_type"),
    }
)
"""The HTTP statuses with which grpclib answers what is no gRPC call, and what we add to them."""
_TAKEN = ("grpc-accept-encoding", "identity")


class EdgeStream(Http2Stream):
    """One call's stream: what it reads passes an ``Inbound``, and no write waits for ever."""

    connection: "EdgeConnection"
    buffer: Inbox
    inbound: Inbound

    def init_stream(self, stream_id: int, connection: Connection) -> None:
        super().init_stream(stream_id, connection)
        self.buffer = Inbox(lambda size: connection.ack(stream_id, size))
        self.asked: Headers = []

    def arrived(self, headers: Headers, said: Mapping[str, str], *, one_message: bool) -> None:
        """Note how the call was opened, before it is read; ``said`` is what is sound of it."""
        self.asked = headers
        length = said.get("content-length")
        self.buffer.length = None if length is None else int(length)
        limits, purse = self.connection.limits, self.connection.purse
        self.inbound = Inbound(
            self.buffer.read,
            limits,
            purse,
            one_message=one_message,
            encoding=said.get("grpc-encoding", ""),
        )

    async def recv_data(self, size: int) -> bytes:
        return await self.inbound(size)

    async def send_headers(self, headers: Headers, end_stream: bool = False) -> None:
        name, status = headers[0]
        if name == ":status":
            headers = headers if status == "200" else self._no_call(status)
            headers.append(_TAKEN)
        await super().send_headers(headers, end_stream=end_stream)

    async def send_data(self, data: bytes, end_stream: bool = False) -> None:
        """Raises: Stalled, when the peer makes no room."""
        if self._has_room(len(data)):
            await super().send_data(data, end_stream=end_stream)
            return
        limit = asyncio.timeout(self.connection.limits.stall)
        try:
            async with limit:
                await self._room(len(data))
                await super().send_data(data, end_stream=end_stream)
        except TimeoutError:
            raise (Stalled if limit.expired() else TimeoutError) from None

    async def _room(self, size: int) -> None:
        """Wait until what is sent can be sent whole: half a message hides why the call ended.

        A peer may hold a part of the window back, so of a large message a quarter of it will do.
        """
        enough = min(size, self._h2_connection.remote_settings.initial_window_size // 4)
        while self.id in self._h2_connection.streams and not self._has_room(enough):
            if self.connection.write_ready.is_set():
                self.window_updated.clear()
                await self.window_updated.wait()
            else:
                await self.connection.write_ready.wait()

    def _has_room(self, size: int) -> bool:
        assert self.id is not None
        room = self.connection.write_ready.is_set() and self.id in self._h2_connection.streams
        return room and self._h2_connection.local_flow_control_window(self.id) >= size

    def _no_call(self, status: str) -> Headers:
        """The refusal of a request that is none of gRPC, in the words that others are told."""
        grpc_status, code = _NO_CALL[status]
        name = request_id([value for given, value in self.asked if given == "x-request-id"])
        _log.info("Not a gRPC call", extra={"status": status, "code": code, "request_id": name})
        return [
            (":status", status),
            ("grpc-status", grpc_status),
            ("grpc-message", HTTPStatus(int(status)).phrase),
            ("error-code", code),
            ("x-request-id", name),
        ]


class EdgeConnection(Connection):
    """Makes the streams of one connection; ``purse`` is what their large messages share."""

    def __init__(self, *args: Any, limits: Limits, purse: Purse, **others: Any) -> None:
        super().__init__(*args, **others)
        self.limits, self.purse = limits, purse

    def create_stream(self, *, stream_id: int | None = None, wrapper: Any = None) -> EdgeStream:
        return EdgeStream(
            self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper
        )
