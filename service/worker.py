"""One worker process: an event loop with both doors on sockets that its parent owns."""

import asyncio
import faulthandler
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

import uvloop

from config import logging as logs
from config.settings import Purpose, Settings, load
from service.app import GRACE, create_app
from service.supervisor import ALIVE, BEAT, READY
from service.transport.http.drain import drain_http


async def serve(
    settings: Settings, http: socket.socket, rpc: socket.socket, link: socket.socket
) -> None:
    """Serve until told to stop, then finish what is under way."""
    loop = asyncio.get_running_loop()
    app = create_app(settings, rpc_socket=rpc)
    server: Any = await app.create_server(  # Sanic leaves its methods untyped
        sock=http,
        return_asyncio_server=True,
        asyncio_server_kwargs={"start_serving": False},
        access_log=False,
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    _stay_linked(loop, link, stopping)
    await stopping.wait()
    app.ctx.draining.set()
    seconds = GRACE.total_seconds()
    await asyncio.gather(drain_http(server, seconds), app.ctx.rpc.stop(GRACE))
    await server.before_stop()
    await server.after_stop()


def _stay_linked(
    loop: asyncio.AbstractEventLoop, link: socket.socket, stopping: asyncio.Event
) -> None:
    """Say that the loop lives, over and over; stop when the parent says so, or is gone."""

    def beat() -> None:
        with suppress(BlockingIOError, OSError):
            link.send(ALIVE)
        loop.call_later(BEAT, beat)

    def told() -> None:
        loop.remove_reader(link)
        stopping.set()

    link.setblocking(False)
    loop.add_reader(link, told)
    link.send(READY)
    beat()


def main(purpose: str, *numbers: str) -> None:
    """Run a worker for ``purpose`` on the inherited sockets: HTTP, gRPC, and the parent's link."""
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = load(Purpose[purpose])
    logs.configure(settings.log_format, settings.log_level)
    http, rpc, link = (socket.socket(fileno=int(number)) for number in numbers)
    uvloop.run(serve(settings, http, rpc, link))


if __name__ == "__main__":
    main(*sys.argv[1:])
