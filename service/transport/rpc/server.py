"""The gRPC server of one worker."""

import asyncio
import socket
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta

from grpclib.events import SendInitialMetadata, listen
from grpclib.utils import _service_name

from service.transport.addresses import Callers
from service.transport.rpc.answers import StatusDetails
from service.transport.rpc.call import Authenticate, call
from service.transport.rpc.edge import EdgeServer
from service.transport.rpc.guard import UNKNOWN, Guard, Servable, Unserved
from service.transport.rpc.health import HealthRpc, Readiness
from service.transport.rpc.limits import Limits
from service.transport.rpc.patience import Patience
from service.transport.rpc.reflection import with_reflection
from service.transport.rpc.tls import Renewal, TlsFiles

_PART = 0.5
"""The part of a handover's grace after which clients that never pause are refused, to make them."""


class RpcServer:
    """Serves ``handlers``, health and reflection, each method inside the guard.

    ``max_calls`` may run at once; ``trusted_proxies`` are believed about whom they speak for;
    ``readiness`` is asked ``watch_every`` so often for each health watcher; ``tls`` names the
    certificate, which is looked at every ``renew_every``. Without it the door is in plain text.
    ``on_leaving`` is called when the server begins to stop, for streams that would go on for ever.
    """

    def __init__(
        self,
        handlers: Collection[Servable],
        *,
        authenticate: Authenticate,
        readiness: Readiness,
        patience: Patience = Patience(),  # noqa: B008  # it is frozen
        max_calls: int = 1000,
        limits: Limits = Limits(),  # noqa: B008  # it is frozen
        watch_every: timedelta = timedelta(seconds=1),
        trusted_proxies: Iterable[str] = (),
        tls: TlsFiles | None = None,
        renew_every: timedelta = timedelta(seconds=10),
        on_leaving: Callable[[], None] = lambda: None,
    ) -> None:
        self._guard = Guard(
            authenticate,
            patience=patience,
            max_calls=max_calls,
            callers=Callers(trusted_proxies),
        )
        names = [_service_name(handler) for handler in handlers]
        self._health = HealthRpc(names, readiness, every=watch_every)
        self._served = [*with_reflection([*handlers, self._health]), Unserved()]
        self._limits, self._on_leaving = limits, on_leaving
        self._server: EdgeServer | None = None
        self._renewal = Renewal(tls, every=renew_every) if tls else None

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        if self._server is None:
            raise RuntimeError("the gRPC server is not started")
        return self._server.port

    @property
    def running(self) -> int:
        """How many calls are being served."""
        return self._guard.running

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.connections) if self._server else 0

    async def start(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        sock: socket.socket | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Listen on ``host`` and ``port``, or on a listening ``sock`` that somebody else made.

        Raises:
            OSError: the port is taken, or the host is not ours.
            BadCertificate: a file of TLS cannot be used.
        """
        context = self._renewal.context() if self._renewal else None
        server = EdgeServer(
            [self._guard.around(served) for served in self._served],
            limits=self._limits,
            unknown=UNKNOWN,
            status_details_codec=StatusDetails(),
        )
        listen(server, SendInitialMetadata, _add_initial_metadata)
        await server.listen(host, port, sock=sock, reuse_port=reuse_port or None, tls=context)
        self._server = server
        if self._renewal:
            self._renewal.begin(server.renew)

    def announce(self) -> None:
        """Say NOT_SERVING from now on, and go on serving."""
        self._health.announce()

    async def stop(
        self,
        grace: timedelta = timedelta(seconds=5),
        *,
        linger: timedelta = timedelta(0),
        handover: bool = False,
    ) -> int:
        """Take no new calls, finish those that run within ``grace``, hang up; how many were cut.

        For ``linger`` everything is taken still, so that what was sent before is served. In a
        ``handover`` other processes accept from the same socket: this one stops accepting at once,
        takes calls of its clients for most of the grace, and does not call itself unhealthy. What
        runs after the grace is ended as UNAVAILABLE. A second stop does nothing.
        """
        server, self._server = self._server, None
        if server is None:
            return 0
        if self._renewal:
            await self._renewal.end()
        if handover:
            server.stop_accepting()
        else:
            self.announce()
        self._health.let_go()
        self._on_leaving()
        seconds = grace.total_seconds()
        if linger:
            server.see_off(insist=False)
            await asyncio.sleep(linger.total_seconds())
            server.stop_accepting()
            await self._see_off(server, seconds, insist_after=seconds * _PART if handover else 0.0)
        else:
            server.stop_accepting()
            self._guard.refuse()
            await self._finish(seconds)
        self._guard.refuse()
        cut = await self._guard.end_all()
        await server.hang_up()
        return cut

    async def _see_off(self, server: EdgeServer, grace: float, *, insist_after: float) -> None:
        """Send every client away, at most ``grace`` seconds long."""
        clock = asyncio.get_running_loop().time
        began = clock()
        while server.connections and (spent := clock() - began) < grace:
            server.see_off(insist=spent >= insist_after)
            await asyncio.sleep(0.01)

    async def _finish(self, grace: float) -> None:
        """Wait for the running calls, and not for clients who may still call."""
        clock = asyncio.get_running_loop().time
        until = clock() + grace
        while self._guard.running and clock() < until:
            await asyncio.sleep(0.01)


async def _add_initial_metadata(event: SendInitialMetadata) -> None:
    event.metadata.update(call().initial)
