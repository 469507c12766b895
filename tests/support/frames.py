"""A raw HTTP/2 peer that notes every GOAWAY, for what official clients keep to themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from hpack import Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    SettingsFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY = b"\0\0\0\0\0"
HEAD = 9


@dataclass
class Observer:
    """One connection. It answers settings and pings as clients must, unless told to keep silent."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    acknowledges: bool = True
    answers_pings: bool = True
    last_ids: list[int] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    is_closed: bool = False
    _encoder: Encoder = field(default_factory=Encoder)

    def call(self, stream: int, path: str, *, agent: str = "observer") -> None:
        """Call a method with an empty message."""
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "a"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("user-agent", agent),
        ]
        head = HeadersFrame(stream, data=self._encoder.encode(headers), flags=["END_HEADERS"])
        body = DataFrame(stream, data=EMPTY, flags=["END_STREAM"])
        self.writer.write(head.serialize() + body.serialize())

    async def listen(self) -> None:
        """Read frames until the connection is closed."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self.reader.readexactly(HEAD)
                frame, length = Frame.parse_frame_header(memoryview(head))
                frame.parse_body(memoryview(await self.reader.readexactly(length)))
                self._hear(frame)
        self.is_closed = True

    def _hear(self, frame: Frame) -> None:
        if isinstance(frame, GoAwayFrame):
            self.last_ids.append(frame.last_stream_id)
        elif isinstance(frame, PingFrame) and self.answers_pings and "ACK" not in frame.flags:
            self.writer.write(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
        elif isinstance(frame, SettingsFrame) and self.acknowledges and "ACK" not in frame.flags:
            self.writer.write(SettingsFrame(0, flags=["ACK"]).serialize())
        if "END_STREAM" in frame.flags:
            self.ended.add(frame.stream_id)


@asynccontextmanager
async def observing(port: int) -> AsyncIterator[Observer]:
    """A connection to the gRPC door at ``port``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PREFACE + SettingsFrame(0).serialize())
    observer = Observer(reader, writer)
    listening = asyncio.create_task(observer.listen())
    try:
        yield observer
    finally:
        writer.close()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
