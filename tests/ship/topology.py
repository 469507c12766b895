"""Containers of one check: on a network of its own, gone when it ends."""

import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ship.engine import Failed, need, podman, run, secrets_folder
from tests.support.processes import free_ports

HARDENED = [
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=64m",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=128",
]
ADMIN, PASSWORD = "root@example.com", "correct horse battery"


class Topology:
    """A network and what runs on it; names begin with a word of this run's own."""

    def __init__(self, folder: Path) -> None:
        self.name = f"arcana-{secrets.token_hex(3)}"
        self.folder = folder
        self.http_port, self.rpc_port = free_ports(2)
        self._running: list[str] = []
        podman("network", "create", self.name)

    def start(self, name: str, image: str, *command: str, options: list[str]) -> str:
        """Start a container that others know as ``name``; its full name."""
        whole = f"{self.name}-{name}"
        place = ["--network", self.name, "--network-alias", name, "--hostname", name]
        podman("run", "--detach", "--name", whole, *place, *options, image, *command)
        self._running.append(whole)
        return whole

    def once(self, image: str, *command: str, options: list[str]) -> str:
        """Run a container to its end; what it printed."""
        return podman("run", "--rm", "--network", self.name, *options, image, *command)

    def healthy(self, container: str, within: float = 60) -> float:
        """Ask its own health check until it says yes; the seconds it took.

        Raises:
            Failed: it did not in time; with the container's last lines.
        """
        began = time.monotonic()
        while time.monotonic() - began < within:
            try:
                podman("healthcheck", "run", container)
            except Failed:
                time.sleep(0.2)
            else:
                return time.monotonic() - began
        raise Failed(f"{container} is not healthy after {within:.0f} s:\n{logs(container)[-2000:]}")

    def close(self) -> None:
        for name in reversed(self._running):
            podman("rm", "--force", "--volumes", "--time", "5", name)
        podman("network", "rm", "--force", self.name)


@contextmanager
def topology() -> Iterator[Topology]:
    with secrets_folder(db_password=secrets.token_hex(16), **_secrets()) as folder:
        password = (folder / "db_password").read_text()
        (folder / "database_url").write_text(f"postgres://arcana:{password}@postgres/arcana")
        (folder / "database_url").chmod(0o444)
        made = Topology(folder)
        try:
            yield made
        finally:
            made.close()


def _secrets() -> dict[str, str]:
    return {"jwt_secret": secrets.token_hex(32), "redis_url": "redis://redis:6379/0"}


def postgres_and_redis(made: Topology, image: str) -> list[str]:
    """Start both servers; their containers."""
    given = {"DB": "arcana", "USER": "arcana", "PASSWORD_FILE": "/run/secrets/db_password"}
    ready = "pg_isready -h 127.0.0.1 -U arcana -d arcana"
    postgres = [
        *_mounted(made, "db_password"),
        *(f"--env=POSTGRES_{name}={value}" for name, value in given.items()),
    ]
    return [
        made.start("postgres", image, options=[*postgres, f"--health-cmd={ready}"]),
        made.start(
            "redis",
            image,
            *["redis-server", "--save", "", "--protected-mode", "no"],
            options=["--health-cmd=redis-cli ping"],
        ),
    ]


def settings_of(made: Topology, **more: str) -> list[str]:
    """The options that give a container of ours its settings, the secret ones by file."""
    names = ("database_url", "redis_url", "jwt_secret")
    files = {f"{name.upper()}_FILE": f"/run/secrets/{name}" for name in names}
    given = [f"--env={name}={value}" for name, value in (files | more).items()]
    return [*_mounted(made, *names), *given]


def _mounted(made: Topology, *names: str) -> list[str]:
    """Each secret by itself, as orchestrators do it: nobody else gets into their folder."""
    return [f"--volume={made.folder}/{name}:/run/secrets/{name}:ro" for name in names]


def inspected(what: str, template: str) -> str:
    return podman("inspect", what, "--format", template)


def logs(container: str) -> str:
    """What it wrote to either stream."""
    return run("sh", "-c", 'podman logs "$1" 2>&1', "sh", container)


def send(container: str, number: signal.Signals = signal.SIGTERM) -> None:
    """Signal its process 1 at once, as the runtime does after a while."""
    os.kill(int(inspected(container, "{{.State.Pid}}")), number)


def ended(container: str, within: float = 45) -> int:
    """The exit code."""
    return int(podman("wait", container, timeout=within))


def layers(image: str) -> list[tuple[str, str]]:
    """Size and maker of each layer that holds something, the newest first."""
    rows = json.loads(podman("history", "--format", "json", image))
    return [(_size(row["size"]), row["CreatedBy"][:90]) for row in rows if row["size"]]


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def no_zombie(container: str) -> None:
    states = podman("top", container, "state").split()[1:]
    need("Z" not in states, f"zombies in {container}: {states}")
