"""A hand-driven HTTP/2 client: it sends what no well-made one would, and notes all that comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support.frames import EMPTY, PREFACE, Observer
from tests.support.probe import PROBE

Pairs = Iterable[tuple[str | bytes, str | bytes]]
ONE = PROBE + "One"


def asked(path: str = ONE, *extra: tuple[str, str], without: str = "") -> list[tuple[str, str]]:
    """The headers of a good call; ``extra`` replaces those of the same names."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "a",
        "content-type": "application/grpc",
        "te": "trailers",
    } | dict(extra)
    headers.pop(without, None)
    return list(headers.items())


@dataclass
class Peer(Observer):
    """One connection. ``answers`` are the headers that came, by stream; ``codes`` those of GOAWAYs;
    ``leaves`` how often it was given leave to send more, ``heard`` how many frames came, and
    ``broken`` what was wrong with one of them.
    """

    answers: dict[int, dict[str, str]] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    resets: dict[int, int] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    pings: int = 0
    leaves: int = 0
    heard: int = 0
    broken: Exception | None = None
    settings: dict[int, int] = field(default_factory=dict)
    decoder: Decoder = field(default_factory=Decoder)
    encoder: Encoder = field(default_factory=Encoder)

    def send(self, *frames: Frame | bytes) -> None:
        parts = (f if isinstance(f, bytes) else f.serialize() for f in frames)
        self.writer.write(b"".join(parts))

    def open(
        self, stream: int, headers: Pairs | None = None, *, end: bool = False, split: int = 0
    ) -> None:
        """Open a stream; its header block in CONTINUATION frames of ``split`` bytes if asked."""
        block = self.encoder.encode(asked() if headers is None else headers)
        flags = ["END_STREAM"] if end else []
        if not split:
            self.send(HeadersFrame(stream, data=block, flags=[*flags, "END_HEADERS"]))
            return
        parts = [block[at : at + split] for at in range(0, len(block), split)]
        alone = ["END_HEADERS"] if len(parts) == 1 else []
        self.send(HeadersFrame(stream, data=parts[0], flags=[*flags, *alone]))
        for part in parts[1:]:
            last = ["END_HEADERS"] if part is parts[-1] else []
            self.send(ContinuationFrame(stream, data=part, flags=last))

    def data(self, stream: int, body: bytes = EMPTY, *, end: bool = True) -> None:
        self.send(DataFrame(stream, data=body, flags=["END_STREAM"] if end else []))

    def ask(self, stream: int, body: bytes = EMPTY, headers: Pairs | None = None) -> None:
        """A whole call with one message."""
        self.open(stream, headers)
        self.data(stream, body)

    async def answer(self, stream: int) -> dict[str, str]:
        """All headers of the answer, once it is complete or the connection gone; within 10 s."""
        await until(lambda: stream in self.ended or stream in self.resets or self.is_closed)
        return self.answers.get(stream, {})

    async def status(self, stream: int) -> str:
        return (await self.answer(stream)).get("grpc-status", "")

    async def closed(self) -> None:
        await until(lambda: self.is_closed)

    async def listen(self) -> None:
        try:
            await super().listen()
        except Exception as error:  # noqa: BLE001  # a server that cannot be read is a finding
            self.broken = error

    def _hear(self, frame: Frame) -> None:
        super()._hear(frame)
        self.heard += 1
        if isinstance(frame, HeadersFrame):
            found = self.decoder.decode(frame.data)
            self.answers.setdefault(frame.stream_id, {}).update((str(n), str(v)) for n, v in found)
        elif isinstance(frame, DataFrame):
            body = self.bodies.get(frame.stream_id, b"")
            self.bodies[frame.stream_id] = body + frame.data
        elif isinstance(frame, RstStreamFrame):
            self.resets[frame.stream_id] = frame.error_code
        elif isinstance(frame, GoAwayFrame):
            self.codes.append(frame.error_code)
        elif isinstance(frame, WindowUpdateFrame):
            self.leaves += 1
        elif isinstance(frame, PingFrame):
            self.pings += "ACK" not in frame.flags
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.settings.update(frame.settings)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for ``condition``; a sharp fact after a generous wait."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def peer(port: int, *, greets: bool = True, **how: Any) -> AsyncIterator[Peer]:
    """A connection to the gRPC door at ``port``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    one = Peer(reader, writer, **how)
    one.decoder.max_allowed_table_size = 2**32  # what it may have sent in its settings
    if greets:
        one.send(PREFACE, SettingsFrame(0))
    listening = asyncio.create_task(one.listen())
    try:
        yield one
    finally:
        writer.transport.abort()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
