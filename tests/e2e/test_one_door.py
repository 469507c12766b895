"""``serve --doors``: each door alone, the probes of a container, and a stop before it serves."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import (
    ROOT,
    SECRET,
    environment,
    free_ports,
    manage,
)

WITHIN = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doors")
    assert manage(folder, "migrate", "up", **settings(folder)).returncode == 0
    return folder


@pytest.fixture
def ports() -> tuple[int, int]:
    http, rpc = free_ports(2)
    return http, rpc


def settings(folder: Path, ports: tuple[int, int] = (5000, 50051)) -> dict[str, str]:
    return {
        "DATABASE_URL": f"sqlite://{folder / 'arcana.db'}",
        "JWT_SECRET": SECRET,
        "HTTP_PORT": str(ports[0]),
        "GRPC_PORT": str(ports[1]),
        "METRICS_PORT": "off",
        "DB_CONNECT_TIMEOUT": "60",
    }


@pytest.fixture(name="serving", params=["both", "http", "grpc"])
def serving_some_doors(
    request: pytest.FixtureRequest, folder: Path, ports: tuple[int, int]
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    which: str = request.param
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "serve", "--doors", which],
        cwd=folder,
        env=environment(**settings(folder, ports)),
    )
    try:
        yield which, process
    finally:
        process.kill()
        process.wait()


def probe(folder: Path, ports: tuple[int, int], word: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.commands.healthcheck", word],
        cwd=folder,
        env=environment(HTTP_HOST="0.0.0.0", **settings(folder, ports)),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def is_open(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_the_doors_that_were_asked_for_open_and_probes_tell(
    serving: tuple[str, subprocess.Popen[bytes]], folder: Path, ports: tuple[int, int]
) -> None:
    which, process = serving
    asked = {"both": ["ready", "live", "grpc"], "http": ["ready", "live"], "grpc": ["grpc"]}[which]
    until = time.monotonic() + WITHIN
    while probe(folder, ports, asked[0]).returncode:
        assert process.poll() is None
        assert time.monotonic() < until
    assert [probe(folder, ports, word).returncode for word in asked] == [0] * len(asked)
    assert [is_open(port) for port in ports] == [which != "grpc", which != "http"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_probe_of_nobody_fails_and_says_why(folder: Path, ports: tuple[int, int]) -> None:
    for word, said in (("ready", "http: "), ("grpc", "grpc: ")):
        asked = probe(folder, ports, word)
        assert asked.returncode == 1
        assert asked.stdout == f"{said}ConnectionRefusedError\n"
    assert probe(folder, ports, "nonsense").returncode == 2


def test_a_probe_of_somebody_silent_gives_up(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert probe(folder, (port, 1), "ready").stdout == "http: TimeoutError\n"
        assert probe(folder, (1, port), "grpc").stdout == "grpc: TimeoutError\n"


def test_sigterm_ends_what_waits_for_its_database(folder: Path, ports: tuple[int, int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "serve"],
            cwd=folder,
            env=environment(**settings(folder, ports) | {"DATABASE_URL": url}),
            stderr=subprocess.PIPE,
        )
        silent.settimeout(WITHIN)
        connection, _ = silent.accept()  # it has come so far as to ask
        with connection:
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=30)
    assert process.returncode == 143
    assert b"Traceback" not in told
