"""A TCP proxy to mistreat: what stands between the service and its database or Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Mode = Literal["pass", "delay", "black-hole", "cut"]
PIECE = 65536


class Proxy:
    """Passes bytes on to a server, as its ``mode`` says; it may change while connections live.

    ``pass`` passes everything; ``delay`` each piece ``delay`` seconds late, each way;
    ``black-hole`` accepts connections and bytes and says nothing, as a network does that drops
    packets; ``cut`` resets every connection and each new one.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self.port = 0
        self.delay = 0.5
        self.accepted = 0
        self._mode: Mode = "pass"
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "black-hole":
            self._passes.clear()
        else:
            self._passes.set()
        if mode == "cut":
            self.cut()

    def cut(self) -> None:
        """Reset every connection; new ones are as the mode says."""
        for end in self._ends:
            end.transport.abort()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for pipe in list(self._pipes):
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        self._ends.add(writer)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._ends.discard(writer)
            self._pipes.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both ways between a client and the server, until either end closes."""
        await self._passes.wait()
        if self._mode == "cut":
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._ends.add(far_writer)
        ways = [
            asyncio.ensure_future(self._pipe(reader, far_writer)),
            asyncio.ensure_future(self._pipe(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            far_writer.transport.abort()
            self._ends.discard(far_writer)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(PIECE):
            if self._mode == "delay":
                await asyncio.sleep(self.delay)
            await self._passes.wait()
            sink.write(piece)
            await sink.drain()


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncIterator[Proxy]:
    """A running proxy to a server; its ``port`` is on 127.0.0.1."""
    proxy = Proxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
