"""A grpclib server with limits, where grpclib 0.4.9 has none.

Two of its private parts are used, ``Server._protocol_factory`` with ``_handlers`` and
``Server._server``; hence the pin. What is refused here is answered by the guard like any refusal.
"""

import asyncio
import os
import socket
import ssl
from typing import Any, cast

from grpclib.protocol import H2Protocol
from grpclib.server import Handler, Server

from service.transport.purses import Purse
from service.transport.rpc.connection import EdgeProtocol
from service.transport.rpc.handler import EdgeHandler
from service.transport.rpc.inbound import StrictCodec
from service.transport.rpc.limits import Limits

_FLUSH = 1.0
"""Seconds a closed connection has to take what was written to it."""
_GRPCLIB = "grpc-python-grpclib"
"""How the user agent of its client begins."""


class EdgeServer(Server):
    """Serves ``handlers`` within ``limits``; calls of no method go to the one at ``unknown``."""

    def __init__(self, handlers: Any, *, limits: Limits, unknown: str, **others: Any) -> None:
        super().__init__(handlers, codec=StrictCodec(), **others)
        self._limits, self._unknown = limits, unknown
        self._purse = Purse(limits.all_claims)
        self.connections: set[EdgeProtocol] = set()

    def _protocol_factory(self) -> H2Protocol:
        plain = super()._protocol_factory()
        unlimited = cast("Handler", plain.handler)
        self._handlers.discard(unlimited)
        handler = EdgeHandler(unlimited, self._limits, self._unknown)
        self._handlers.add(handler)
        return EdgeProtocol(plain, handler, self._limits, self._purse, self.connections)

    async def listen(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        sock: socket.socket | None = None,
        reuse_port: bool | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """What ``start`` does, which leaves a TLS handshake a minute to hold a connection.

        Raises:
            OSError: the port is taken, or the host is not ours.
        """
        create: Any = self._loop.create_server  # a host and a port, or a socket: not for its types
        self._server = await create(
            self._protocol_factory,
            host,
            port,
            sock=sock,
            reuse_port=reuse_port,
            ssl=tls,
            ssl_handshake_timeout=self._limits.greeting if tls else None,
            ssl_shutdown_timeout=_FLUSH if tls else None,
        )

    async def renew(self, tls: ssl.SSLContext) -> None:
        """Greet whoever comes from now on with ``tls``; connections that are there stay.

        The socket listens all the while: who comes in between waits in the kernel's queue.
        """
        former: Any = self._server
        if former is None or not former.sockets:
            return
        same = socket.socket(fileno=os.dup(former.sockets[0].fileno()))
        await self.listen(sock=same, tls=tls)
        former.close()

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        server: Any = self._server
        return int(server.sockets[0].getsockname()[1])

    def stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()

    def see_off(self, *, insist: bool) -> None:
        """Bring each connection a step nearer to its end (``Farewell.advance``)."""
        now = self._loop.time()
        for connection in list(self.connections):
            connection.farewell.advance(now, insist=insist)

    async def hang_up(self) -> None:
        """Close every connection and cancel what still runs; takes at most some seconds.

        Not ``Server.wait_closed``: from Python 3.12 on it waits for clients to leave.
        """
        for connection in list(self.connections):
            connection.farewell.close()
        until = self._loop.time() + _FLUSH
        while self.connections and self._loop.time() < until:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.transport.abort()
        ends = [asyncio.ensure_future(handler.wait_closed()) for handler in self._handlers]
        if ends:
            await asyncio.wait(ends, timeout=_FLUSH)
