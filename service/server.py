"""How the doors are opened: sockets first, then workers behind them."""

import errno
import logging
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.settings import Purpose, Settings, SettingsError
from service.app import GRACE, BrokenTemplate, templates_of, tls_files
from service.control import Line, NobodyThereError, control_socket
from service.infra.telemetry.exposition import Tree, exposed
from service.infra.telemetry.folder import metrics_folder
from service.infra.telemetry.prometheus import FOLDER
from service.infra.telemetry.tracing import is_installed, is_wanted
from service.supervisor import Supervisor
from service.transport.rpc.tls import BadCertificate

log = logging.getLogger("arcana.server")

BACKLOG = 1024
_NO_FOLDER = (
    "METRICS_PORT: metrics need a temporary folder that can be written:"
    " mount one at /tmp, name one in TMPDIR, or set METRICS_PORT=off"
)
_START = (sys.executable, "-m", "service.start")
_NO_TRACER = "TRACING: traces need the extra: pip install 'arcana[tracing]', or set TRACING=off"


Which = Literal["both", "http", "grpc"]
"""The doors that one process tree serves."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Listening sockets: those of the doors, REST first, and the one of the metrics if any."""

    which: Which
    serving: Sequence[socket.socket]
    metrics: socket.socket | None


_CLOSING = 3.0
"""Seconds beyond the pause and the grace that a worker has to say its last words and close."""


@contextmanager
def open_doors(settings: Settings, which: Which = "both") -> Iterator[Doors]:
    """The listening sockets of this process tree.

    They are opened before anything else is done, so that a taken port changes nothing, and this
    process owns them: a connection waiting to be accepted outlives the worker it came to.

    Raises:
        SettingsError: a port is taken, a host is not this machine's, a file of TLS or a template
            is bad, or traces are wanted and what makes them is not installed.
    """
    _check_certificate(settings)
    check_templates(settings)
    _check_tracer(settings)
    with ExitStack() as held:
        serving = []
        if which != "grpc":
            http = _listen(settings.http_host, settings.http_port, "HTTP")
            serving.append(held.enter_context(http))
        if which != "http":
            rpc = _listen(settings.http_host, settings.grpc_port, "GRPC")
            serving.append(held.enter_context(rpc))
        yield Doors(which, serving, _metrics(settings, held))


@contextmanager
def taken_doors(settings: Settings, which: Which) -> Iterator[tuple[Doors, Line]]:
    """Copies of a running service's doors, and the line to tell it that it may leave.

    Both accept from the same queue, so no connection is refused or reset in between, as happens
    where each listens for itself with SO_REUSEPORT (docs/decisions/0019).

    Raises:
        SettingsError: no service runs here, or it has other doors.
    """
    path = control_path(settings)
    try:
        line = Line(path, _CLOSING)
        taken = line.take_sockets()
    except (NobodyThereError, OSError):
        raise SettingsError([f"RUN_FOLDER: no service listens at {path} to take over"]) from None
    ours = {"http": [settings.http_port], "grpc": [settings.grpc_port]}
    wanted = ours.get(which, [settings.http_port, settings.grpc_port])
    try:
        ports = [door.getsockname()[1] for door in taken[: len(wanted)]]
        if ports != wanted:
            raise SettingsError([f"HTTP_PORT, GRPC_PORT: the service at {path} has {ports}"])
        metrics = taken[len(wanted)] if taken[len(wanted) :] else None
        yield Doors(which, taken[: len(wanted)], metrics), line
    finally:
        line.close()
        for door in taken:
            door.close()


def serve(
    settings: Settings,
    purpose: Purpose,
    doors: Doors,
    *,
    when_ready: Callable[[], None] | None = None,
) -> int:
    """Serve on the open doors until SIGINT or SIGTERM; the exit code.

    ``when_ready`` is called when every worker serves.

    Raises:
        SettingsError: metrics are wanted, and there is no room for their files.
    """
    command = [*_START, "service.worker", purpose.name, doors.which]
    with ExitStack() as held:
        environment, watcher = _counting(doors.metrics, held, doors.which)
        return Supervisor(
            command,
            doors.serving,
            settings.workers,
            grace=(settings.drain_delay + GRACE).total_seconds() + _CLOSING,
            environment=environment,
            watcher=watcher,
            controlled_by=_controlled(settings, held),
            given=[*doors.serving, *([doors.metrics] if doors.metrics else [])],
            when_ready=when_ready,
        ).run()


_SETTLING = 8.0
"""Seconds that a process without doors has to settle what it is just telling, and to close."""


@contextmanager
def open_metrics(settings: Settings) -> Iterator[socket.socket | None]:
    """The listening socket of a process tree that serves nothing else; None where it is off.

    Raises:
        SettingsError: the port is taken, a template is bad, or traces are wanted and what makes
            them is missing.
    """
    check_templates(settings)
    _check_tracer(settings)
    with ExitStack() as held:
        yield _metrics(settings, held)


def work(metrics: socket.socket | None) -> int:
    """Relay events and do the chores until SIGINT or SIGTERM; the exit code.

    Raises:
        SettingsError: metrics are wanted, and there is no room for their files.
    """
    command = [*_START, "service.background"]
    with ExitStack() as held:
        environment, watcher = _counting(metrics, held)
        return Supervisor(
            command, [], 1, grace=_SETTLING, environment=environment, watcher=watcher
        ).run()


def _metrics(settings: Settings, held: ExitStack) -> socket.socket | None:
    """Raises: SettingsError."""
    if settings.metrics_port is None:
        return None
    listening = _listen(settings.metrics_host, settings.metrics_port, "METRICS")
    return held.enter_context(listening)


def _check_tracer(settings: Settings) -> None:
    """Raises: SettingsError."""
    if is_wanted(settings.tracing, settings.otel_exporter_otlp_endpoint) and not is_installed():
        raise SettingsError([_NO_TRACER])


def _counting(
    metrics: socket.socket | None, held: ExitStack, which: Which | None = None
) -> tuple[dict[str, str], Tree | None]:
    """What workers must know to count, and who adds it all up; both empty without ``metrics``.

    ``which`` doors they serve, if any.

    Raises:
        SettingsError: there is no room for the files.
    """
    if metrics is None:
        return {}, None
    try:
        folder = held.enter_context(metrics_folder())
    except OSError:
        raise SettingsError([_NO_FOLDER]) from None
    tree = Tree(folder, which)
    held.enter_context(exposed(metrics, tree))
    return {FOLDER: str(folder.path)}, tree


def _controlled(settings: Settings, held: ExitStack) -> socket.socket | None:
    """Where the command line asks, if there is a place for it."""
    try:
        return held.enter_context(control_socket(control_path(settings)))
    except OSError as error:  # such as a read-only file system; signals do, too
        log.warning("no reload from the command line: %s", error.strerror or "path too long")
        return None


def control_path(settings: Settings) -> Path:
    """Where the command line finds the service with these settings."""
    return Path(settings.run_folder) / f"arcana-{settings.http_port}.sock"


def _check_certificate(settings: Settings) -> None:
    """Raises: SettingsError."""
    try:
        if files := tls_files(settings):
            files.context()
    except BadCertificate as error:
        raise SettingsError([str(error)]) from None


def check_templates(settings: Settings) -> None:
    """Raises: SettingsError, when a template of notifications can't be used."""
    try:
        templates_of(settings)
    except BrokenTemplate as error:
        raise SettingsError([f"MAIL_TEMPLATES: {error}"]) from None


def _listen(host: str, port: int, door: str) -> socket.socket:
    """A listening socket; ``door`` begins the names of its settings.

    Raises:
        SettingsError: nothing can listen there.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
    except OSError as error:
        raise SettingsError([_mend(error, host, port, door)]) from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise SettingsError([_mend(error, host, port, door)]) from None
    listening.setblocking(False)
    return listening


def _mend(error: OSError, host: str, port: int, door: str) -> str:
    setting = f"{door}_PORT"
    if error.errno == errno.EADDRINUSE:
        mend = "another port, or off" if door == "METRICS" else "another port"
        return f"{setting}: port {port} is taken by another process: stop it, or set {mend}"
    if error.errno == errno.EACCES:
        return f"{setting}: port {port} needs privileges: set one from 1024 to 65535"
    owner = "METRICS_HOST" if door == "METRICS" else "HTTP_HOST"
    return f"{owner}: {host} is no address of this machine that can be listened on"
