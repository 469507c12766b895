"""How the HTTP side of a worker stops without losing a request."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from sanic.http.constants import Stage
from sanic.server.async_server import AsyncioServer

from service.core.errors import Unavailable

LINGER = 0.3
"""Seconds that a connection must have been quiet before it is closed, and that new ones are
still taken after the signal: what is in a socket by then is read and answered."""
NEXT_REQUEST = 2.0
"""The same when a successor has taken over and nobody is in a hurry: most clients that keep a
connection send their next request in it, and are told to go by its answer."""
LAST_WORDS = 0.5
"""Seconds in which requests that are cut off are told so."""
_LOOK = 0.02


def part(server: AsyncioServer) -> None:
    """Say ``Connection: close`` in every answer from now on.

    Sanic never tells keep-alive clients to leave (docs/decisions/0008).
    """
    server.app.config.KEEP_ALIVE = False
    for connection in server.connections:
        http = connection.http
        if http is not None:
            http.keep_alive = http.keep_alive and http.stage is Stage.IDLE


async def drain_http(server: AsyncioServer, grace: float, *, handover: bool = False) -> int:
    """Answer what has been sent, then close; how many requests were cut off after ``grace``.

    In a ``handover`` other processes accept from the same socket: this one stops at once.
    """
    part(server)
    deadline, began = time.monotonic() + grace, time.monotonic()
    patience = LINGER
    if handover:
        _stop_accepting(server)
        patience = min(NEXT_REQUEST, grace / 2)
    await asyncio.sleep(LINGER)
    _stop_accepting(server)
    connections: set[Any] = server.connections
    while connections and time.monotonic() < deadline:
        _close_the_quiet(connections, began, patience)
        await asyncio.sleep(_LOOK)
    return await _cut_off(connections)


def _stop_accepting(server: AsyncioServer) -> None:
    if server.server is not None:
        server.server.close()


def _close_the_quiet(connections: Iterable[Any], began: float, patience: float) -> None:
    now = time.monotonic()
    for connection in list(connections):
        quiet = now - max(connection._time, began)
        if not _is_busy(connection) and quiet >= patience:
            connection.close()


def _is_busy(connection: Any) -> bool:
    """Whether a request is being answered, or its bytes have come and nobody has looked yet."""
    http = connection.http
    return (http is not None and http.stage is not Stage.IDLE) or bool(connection.recv_buffer)


async def _cut_off(connections: set[Any]) -> int:
    """Answer 503 where nothing was answered yet, and close whatever is left."""
    busy = [connection for connection in connections if _is_busy(connection)]
    for connection in busy:
        if connection.http is not None and connection._task is not None:
            connection.http.exception = Unavailable()
            connection._task.cancel()
    until = time.monotonic() + LAST_WORDS
    while connections and busy and time.monotonic() < until:
        await asyncio.sleep(_LOOK)
    for connection in list(connections):
        connection.abort()
    return len(busy)
