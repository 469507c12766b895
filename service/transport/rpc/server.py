"""The gRPC server of one worker."""

import socket
from collections.abc import Collection
from datetime import timedelta

from grpclib.events import SendInitialMetadata, listen
from grpclib.utils import _service_name

from service.transport.rpc.answers import StatusDetails
from service.transport.rpc.call import Authenticate, call
from service.transport.rpc.edge import EdgeServer, Limits
from service.transport.rpc.guard import UNKNOWN, Guard, Servable, Unserved
from service.transport.rpc.health import HealthRpc, Readiness
from service.transport.rpc.reflection import with_reflection


class RpcServer:
    """Serves ``handlers``, health and reflection, each method inside the guard.

    ``timeout`` is the deadline of calls with one answer whose caller named none; ``max_calls``
    may run at once; ``readiness`` is asked ``watch_every`` so often for each health watcher.
    """

    def __init__(
        self,
        handlers: Collection[Servable],
        *,
        authenticate: Authenticate,
        readiness: Readiness,
        timeout: timedelta = timedelta(seconds=30),
        max_calls: int = 1000,
        limits: Limits = Limits(),  # noqa: B008  # it is frozen
        watch_every: timedelta = timedelta(seconds=1),
    ) -> None:
        self._guard = Guard(authenticate, timeout=timeout, max_calls=max_calls)
        names = [_service_name(handler) for handler in handlers]
        self._health = HealthRpc(names, readiness, every=watch_every)
        self._served = [*with_reflection([*handlers, self._health]), Unserved()]
        self._limits = limits
        self._server: EdgeServer | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        if self._server is None:
            raise RuntimeError("the gRPC server is not started")
        return self._server.port

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
        """
        server = EdgeServer(
            [self._guard.around(served) for served in self._served],
            limits=self._limits,
            unknown=UNKNOWN,
            status_details_codec=StatusDetails(),
        )
        listen(server, SendInitialMetadata, _add_initial_metadata)
        await server.start(host, port, sock=sock, reuse_port=reuse_port or None)
        self._server = server

    async def stop(self, grace: timedelta = timedelta(seconds=5)) -> None:
        """Say NOT_SERVING, take no new calls, finish those that run within ``grace``, hang up.

        What still runs after the grace is cancelled. A second stop does nothing.
        """
        server, self._server = self._server, None
        if server is None:
            return
        self._health.stop()
        server.stop_accepting()
        await self._guard.stop(grace)
        await server.hang_up()


async def _add_initial_metadata(event: SendInitialMetadata) -> None:
    event.metadata.update(call().initial)
