"""One worker process: an event loop with both doors on sockets that its parent owns."""

import asyncio
import faulthandler
import logging
import signal
import socket
import time
from datetime import timedelta
from typing import Any

import uvloop

from config import logging as logs
from config.settings import Purpose, Settings, load
from service.app import GRACE, create_app
from service.core.metrics import DRAINS
from service.linked import Leave, Told, stay_linked, tell
from service.transport.http.drain import LINGER, drain_http, part
from service.transport.http.requests import App

log = logging.getLogger("arcana.worker")


async def serve(
    settings: Settings,
    http: socket.socket | None,
    rpc: socket.socket | None,
    link: socket.socket,
    stack: int,
) -> None:
    """Serve until told to stop, then finish what is under way; a door without a socket is shut.

    Sanic's server is there in either case: what starts and stops with it is the whole worker.
    ``stack`` is where to dump where it stands.
    """
    loop = asyncio.get_running_loop()
    app = create_app(settings, rpc_socket=rpc)
    server: Any = await app.create_server(  # Sanic leaves its methods untyped
        sock=http or socket.socket(),
        return_asyncio_server=True,
        asyncio_server_kwargs={"start_serving": False},
        access_log=False,
    )
    app.ctx.connections = server.connections
    told: Told = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, told, Leave.STOPPED)
    await server.startup()
    await server.before_start()
    if http is not None:
        await server.start_serving()
    await server.after_start()
    stay_linked(link, told, stack)
    await leave(app, server, await told, settings.drain_delay)
    await server.before_stop()
    await server.after_stop()


async def leave(app: App, server: Any, why: Leave, pause: timedelta) -> None:
    """Stop serving at both doors without failing a request that was sent.

    The ``pause`` gives a balancer the time to notice that the service is not ready any more.
    """
    handover, began = why is Leave.RETIRED, time.monotonic()
    if not handover:
        app.ctx.draining.set()
        app.ctx.rpc.announce()
    part(server)
    if why is Leave.STOPPED:
        await asyncio.sleep(pause.total_seconds())
    requests, calls = await asyncio.gather(
        drain_http(server, GRACE.total_seconds(), handover=handover),
        app.ctx.rpc.stop(GRACE, linger=timedelta(seconds=LINGER), handover=handover),
    )
    DRAINS.add("cut" if requests or calls else "complete")
    took = round(time.monotonic() - began, 2)
    log.log(
        logging.WARNING if requests or calls else logging.INFO,
        "drained",
        extra={"why": why.name, "after_s": took, "cut_http": requests, "cut_grpc": calls},
    )


def main(purpose: str, which: str, *numbers: str) -> None:
    """Run a worker for ``purpose`` on what it inherited.

    ``numbers`` are the sockets of its doors, REST first, the pipe for its stack if it hangs, and
    the link to its parent.
    """
    *sockets, stack, link = map(int, numbers)
    faulthandler.register(signal.SIGUSR2, file=stack, all_threads=True)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = load(Purpose[purpose])
    logs.configure(settings.log_format, settings.log_level)
    doors = [socket.socket(fileno=number) for number in sockets]
    http = doors[0] if which != "grpc" else None
    rpc = doors[-1] if which != "http" else None
    uvloop.run(serve(settings, http, rpc, socket.socket(fileno=link), stack))
