"""HTTP/1 by hand: bytes as a test wrote them, and answers as they came."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

WAIT = 20.0
"""Seconds after which an answer, or an end, that does not come fails its test."""


@dataclass(frozen=True)
class Response:
    """One answer, with its header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The contract's word for what was refused."""
        return str(self.json()["code"])


class Wire:
    """One connection to the REST door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._ahead = b""

    async def send(self, data: bytes, *, by: int = 0) -> None:
        """Send all at once, or in pieces of ``by`` bytes that the server reads one by one.

        A server that has hung up already is none of the sender's business.
        """
        pieces = [data[at : at + by] for at in range(0, len(data), by)] if by else [data]
        try:
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            pass

    async def answer(self) -> Response:
        """The next answer. Raises: EOFError, when the connection ended before it was whole."""
        async with asyncio.timeout(WAIT):
            head = self._ahead + await self._reader.readuntil(b"\r\n\r\n")
            self._ahead = b""
            status, *lines = head.decode().removesuffix("\r\n\r\n").split("\r\n")
            headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Response(int(status.split()[1]), headers, body)

    async def answers_to_the_end(self) -> list[Response]:
        """Every answer until the server closes; a connection that stays open fails the test."""
        came = []
        while not await self.ends():
            came.append(await self.answer())
        return came

    async def ends(self) -> bool:
        """Wait for the next byte, and leave it there: whether the server closes instead."""
        async with asyncio.timeout(WAIT):
            try:
                self._ahead += await self._reader.read(not self._ahead)
            except ConnectionError:
                return True
        return not self._ahead

    def half_close(self) -> None:
        """Send nothing more, and go on listening."""
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """A connection to ``port``, which sends what it is given without waiting for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Wire(reader, writer)
    try:
        yield connection
    finally:
        connection.close()
