"""GET /metrics: the sums over all workers, told by their parent on a port of its own."""

import asyncio
import logging
import platform
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from service.infra.telemetry.folder import Folder

log = logging.getLogger("arcana.metrics")

PATH = "/metrics"
HEAD_MAX = 8192
CONNECTIONS_MAX = 32
DEADLINE = 5.0
"""Seconds for a whole exchange, whatever the client does; a scrape takes some milliseconds."""
CAUSES = ("stopped", "died", "stuck", "late")
_TEXT = "text/plain; charset=utf-8"

Answer = tuple[str, str, bytes]


class Tree:
    """What the parent alone knows: which workers live, and why others had to be replaced.

    ``doors`` are those that they serve. Without any they are not counted as workers, for a process
    in the background answers nobody, and must not hide that nobody else does.
    """

    def __init__(self, folder: Folder, doors: str | None = None) -> None:
        self._folder, self._doors = folder, doors
        self._alive: set[int] = set()
        self._left = Counter(dict.fromkeys(CAUSES, 0))

    def born(self, pid: int) -> None:
        """A worker was started."""
        self._alive.add(pid)

    def gone(self, pid: int, cause: str) -> None:
        """A worker has ended; its counts stay."""
        self._alive.discard(pid)
        self._left[cause] += 1
        try:
            self._folder.bury(pid)
        except Exception as error:  # noqa: BLE001  # counts are not worth a worker
            log.warning("a worker's counts are lost (%s)", type(error).__name__)

    def collect(self) -> Iterator[Metric]:
        """The workers' sums first, then what is told here."""
        yield from self._folder.collect()
        yield self._serving()
        exits = CounterMetricFamily(
            "arcana_worker_exits_total",
            "Workers that ended: stopped as they were told, died, stuck or late and so killed.",
            labels=["cause"],
        )
        for cause, count in dict(self._left).items():
            exits.add_metric([cause], count)
        yield exits
        about = {"version": version("arcana"), "python": platform.python_version()}
        info = GaugeMetricFamily("arcana_build_info", "What runs here.", labels=list(about))
        info.add_metric(list(about.values()), 1)
        yield info

    def _serving(self) -> Metric:
        about = "Processes that serve, by the doors they have: both, http or grpc."
        workers = GaugeMetricFamily("arcana_workers", about, labels=["doors"])
        if self._doors is not None:
            workers.add_metric([self._doors], len(self._alive))
        return workers


@contextmanager
def exposed(listening: socket.socket, tree: Tree) -> Iterator[None]:
    """Answer on ``listening`` for the length of a block, in a thread of its own.

    The parent goes on watching its workers whatever clients do there.
    """
    registry = CollectorRegistry()
    registry.register(tree)
    loop = asyncio.new_event_loop()
    exposition = _Exposition(lambda: generate_latest(registry))
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(exposition.serve(listening)),
        name="metrics",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        with suppress(RuntimeError):  # it has ended by itself
            loop.call_soon_threadsafe(exposition.stop)
        thread.join(DEADLINE)
        if not thread.is_alive():
            loop.close()


class _Exposition:
    """A server of one page. At most ``CONNECTIONS_MAX`` are open; the oldest gives way."""

    def __init__(self, render: Callable[[], bytes]) -> None:
        self._render = render
        self._open: dict[asyncio.Task[None], None] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def serve(self, listening: socket.socket) -> None:
        server = await asyncio.start_server(self._accept, sock=listening, limit=HEAD_MAX)
        await self._stopping.wait()
        server.close()
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)  # for the transports to let go of their sockets

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            next(iter(self._open)).cancel()
        task = asyncio.get_running_loop().create_task(self._exchange(reader, writer))
        self._open[task] = None
        task.add_done_callback(partial(self._leave, writer))

    def _leave(self, writer: asyncio.StreamWriter, task: asyncio.Task[None]) -> None:
        """Hang up, also on whoever was sent away before its first step."""
        self._open.pop(task, None)
        writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answered(head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            pass  # whoever is slow, gone or wordy is not answered

    def _answered(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        status, form, body = self._answer(method, rest.partition(" ")[0].partition("?")[0])
        lines = [
            f"HTTP/1.1 {status}",
            f"Content-Type: {form}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        if status.startswith("405"):
            lines.append("Allow: GET, HEAD")
        shown = b"" if method == "HEAD" else body
        return "\r\n".join([*lines, "", ""]).encode() + shown

    def _answer(self, method: str, path: str) -> Answer:
        if path != PATH:
            return "404 Not Found", _TEXT, b"Only /metrics is here.\n"
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", _TEXT, b"Only GET and HEAD are answered here.\n"
        try:
            return "200 OK", CONTENT_TYPE_PLAIN_0_0_4, self._render()
        except Exception as error:  # noqa: BLE001  # told, and the next scrape tries again
            log.warning("the metrics can't be told (%s)", type(error).__name__)
            return "503 Service Unavailable", _TEXT, b"The metrics can't be read right now.\n"
