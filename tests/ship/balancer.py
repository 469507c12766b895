"""A balancer of TCP connections, as a cluster's Service is: it knows nothing of what they carry."""

import asyncio
from contextlib import suppress

PIECE = 65536


class Balancer:
    """Gives each new connection to the next target in turn; old ones stay where they are."""

    def __init__(self) -> None:
        self.port = 0
        self.targets: list[int] = []
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._joined: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._joined):
            task.cancel()
        await asyncio.gather(*self._joined, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._joined.add(task)
        self._turn += 1
        try:
            port = self.targets[self._turn % len(self.targets)]
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
            far_writer.close()
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()
            self._joined.discard(task)


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Everything one way, and then the end of it, so that a half-closed connection stays one."""
    try:
        while piece := await source.read(PIECE):
            sink.write(piece)
            await sink.drain()
    finally:
        with suppress(OSError):
            sink.write_eof()
