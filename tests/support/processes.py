"""The real program, in processes of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the processes under test, long enough"
STARTS_WITHIN = 60.0
"""Seconds; on a quiet machine it takes two."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def environment(**settings: str) -> dict[str, str]:
    """What a process sees: nothing of ours but this tree, the path, and the settings.

    This tree whatever the virtual environment has installed: two may share one.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    path = f"{ROOT}{os.pathsep}{ROOT / 'protos'}"
    return {**kept, "PYTHONPATH": path, "METRICS_PORT": "off", **settings}


def manage(
    folder: Path, *arguments: str, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run one command of manage.py to its end, in ``folder``."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        cwd=folder,
        env=environment(**settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True)
class Service:
    """The service as ``manage.py run`` or ``serve`` started it, in a session of its own."""

    process: subprocess.Popen[bytes]
    http_port: int
    rpc_port: int
    written: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def output(self) -> str:
        """All that it has written so far, to either stream."""
        return self.written.read_text("utf-8")

    def interrupt(self) -> int:
        """Ctrl-C: SIGINT to everybody in the terminal's foreground; the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=30)

    def terminate(self) -> int:
        """What a container's runtime does: SIGTERM to the one process it knows; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended:\n{self.output()}"
            try:
                if httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready after {STARTS_WITHIN} s:\n{self.output()}")


@contextmanager
def started(
    folder: Path, command: str, settings: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """``manage.py run`` or ``serve``, ready; whatever is left of it at the end is killed."""
    http, rpc = free_ports(2)
    written = folder / f"output-{http}.txt"
    chosen = {"HTTP_PORT": str(http), "GRPC_PORT": str(rpc), **(settings or {})}
    with written.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), command],
            cwd=folder,
            env=environment(**chosen),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    service = Service(process, http, rpc, written)
    try:
        service.wait_until_ready()
        yield service
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
