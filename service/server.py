"""How the doors are opened: sockets first, then Sanic's workers behind them."""

import errno
import os
import socket

from sanic import Sanic

from config.settings import Settings, SettingsError
from service.app import create_app
from service.transport.http.requests import App

BACKLOG = 1024


def serve(settings: Settings) -> None:
    """Serve both doors until SIGINT or SIGTERM.

    This process owns both sockets and the workers inherit them, so a taken port is found before
    anything starts, and a connection waiting to be accepted outlives the worker it came to.

    Raises:
        SettingsError: a port is taken, or the host is not this machine's.
    """
    with (
        _listen(settings.http_host, settings.http_port, "HTTP_PORT") as http,
        _listen(settings.http_host, settings.grpc_port, "GRPC_PORT") as rpc,
    ):
        Sanic.start_method = "fork"
        app = create_app(settings, rpc_socket=rpc)
        app.after_server_start(_leave_terminal_group)
        app.prepare(sock=http, workers=settings.workers, motd=False, access_log=False)
        Sanic.serve(primary=app)


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
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        raise SettingsError([_mend(error, host, port, setting)]) from None
    listening.setblocking(False)
    return listening


def _mend(error: OSError, host: str, port: int, setting: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{setting}: port {port} is taken by another process: stop it, or set another port"
    if error.errno == errno.EACCES:
        return f"{setting}: port {port} needs privileges: set one from 1024 to 65535"
    return f"HTTP_HOST: {host} is no address of this machine that can be listened on"


async def _leave_terminal_group(app: App) -> None:
    """Have Ctrl-C reach the parent alone, which passes it on: a second signal cuts requests off."""
    if os.environ.get("SANIC_WORKER_NAME") and os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
