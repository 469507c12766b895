"""How the HTTP side of a worker stops without losing a request."""

import asyncio
import time
from typing import Any

from sanic.http.constants import Stage
from sanic.server.async_server import AsyncioServer

LINGER = 0.3
"""Seconds that a connection must have been quiet before it is closed, and that new ones are
still taken after the signal: what is in a socket by then is read and answered."""


async def drain_http(server: AsyncioServer, grace: float) -> int:
    """Answer what has been sent, with ``Connection: close``, then close; how many were cut off.

    Sanic's own stop loses calls in flight when a second signal comes, and never tells keep-alive
    clients to leave (docs/decisions/0008).
    """
    connections: set[Any] = server.connections
    deadline, began = time.monotonic() + grace, time.monotonic()
    server.app.config.KEEP_ALIVE = False
    for connection in connections:
        http = connection.http
        if http is not None:
            http.keep_alive = http.keep_alive and http.stage is Stage.IDLE
    await asyncio.sleep(LINGER)
    if server.server is not None:
        server.server.close()
    while connections and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
        for connection in list(connections):
            quiet = time.monotonic() - max(connection._time, began)
            if not _is_busy(connection) and quiet >= LINGER:
                connection.close()
    cut = sum(map(_is_busy, connections))
    for connection in list(connections):
        connection.abort()
    return cut


def _is_busy(connection: Any) -> bool:
    """Whether a request is being answered, or its bytes have come and nobody has looked yet."""
    http = connection.http
    return (http is not None and http.stage is not Stage.IDLE) or bool(connection.recv_buffer)
