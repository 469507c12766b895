"""How the doors are opened: sockets first, then workers behind them."""

import errno
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from config.settings import Purpose, Settings, SettingsError
from service.app import GRACE
from service.supervisor import Supervisor

BACKLOG = 1024


@contextmanager
def open_doors(settings: Settings) -> Iterator[Sequence[socket.socket]]:
    """The listening sockets of both doors, REST first.

    They are opened before anything else is done, so that a taken port changes nothing, and this
    process owns them: a connection waiting to be accepted outlives the worker it came to.

    Raises:
        SettingsError: a port is taken, or the host is not this machine's.
    """
    with (
        _listen(settings.http_host, settings.http_port, "HTTP_PORT") as http,
        _listen(settings.http_host, settings.grpc_port, "GRPC_PORT") as rpc,
    ):
        yield http, rpc


def serve(settings: Settings, purpose: Purpose, doors: Sequence[socket.socket]) -> int:
    """Serve on both doors until SIGINT or SIGTERM; the exit code."""
    command = [sys.executable, "-m", "service.worker", purpose.name]
    grace = GRACE.total_seconds() + 5
    return Supervisor(command, doors, settings.workers, grace=grace).run()


def _listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket.

    Raises:
        SettingsError: nothing can listen there.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
    except OSError as error:
        raise SettingsError([_mend(error, host, port, setting)]) from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise SettingsError([_mend(error, host, port, setting)]) from None
    listening.setblocking(False)
    return listening


def _mend(error: OSError, host: str, port: int, setting: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{setting}: port {port} is taken by another process: stop it, or set another port"
    if error.errno == errno.EACCES:
        return f"{setting}: port {port} needs privileges: set one from 1024 to 65535"
    return f"HTTP_HOST: {host} is no address of this machine that can be listened on"
