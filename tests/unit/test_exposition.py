"""The port of the metrics: one page, told to whoever asks well, whatever others do there."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from service.infra.telemetry.exposition import CONNECTIONS_MAX, HEAD_MAX, Tree, exposed
from service.infra.telemetry.folder import Folder, metrics_folder
from service.infra.telemetry.prometheus import FOLDER
from tests.support.scrape import Scrape

ROOT = Path(__file__).resolve().parents[2]

WORKER = """
import sys
from service.core import metrics
from service.infra.telemetry.prometheus import meter_of_this_process
metrics.install(meter_of_this_process())
for _ in range(int(sys.argv[1])):
    metrics.LOGINS.add("ok")
    metrics.HASHING_WAIT.observe(0.02)
metrics.POOL.show(int(sys.argv[1]), "in_use")
metrics.FEED_LAG.show(int(sys.argv[1]))
"""
"""Counts as many times as it is told."""


def worker(folder: Folder, times: int) -> int:
    """A process that counts and ends; its number."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(times)],
        cwd=ROOT,
        env={FOLDER: str(folder.path), "PYTHONPATH": str(ROOT)},
    )
    assert process.wait(30) == 0
    return process.pid


@pytest.fixture
def tree() -> Iterator[Tree]:
    with metrics_folder() as folder:
        yield Tree(folder, "both")


@contextmanager
def port_of(tree: Tree) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]
        with exposed(listening, tree):
            yield port


def ask(port: int, method: str = "GET", path: str = "/metrics") -> httpx.Response:
    return httpx.request(method, f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=10)


def told(port: int) -> Scrape:
    answer = ask(port)
    assert answer.status_code == 200
    return Scrape(answer.text)


def raw(port: int, request: bytes) -> bytes:
    """All that comes back to ``request`` until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(request)
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


def test_workers_are_summed_and_stay_counted_when_they_are_gone(tree: Tree) -> None:
    with port_of(tree) as port:
        pids = [worker(tree._folder, times) for times in (2, 5)]
        for pid in pids:
            tree.born(pid)
        found = told(port)
        assert found.of("arcana_logins_total", outcome="ok") == 7
        assert found["arcana_hashing_wait_seconds_count"] == 7
        assert found.of("arcana_hashing_wait_seconds_bucket", le="0.025") == 7
        assert found.of("arcana_database_pool", state="in_use") == 7
        assert found["arcana_change_feed_lag_seconds"] == 5
        assert found.of("arcana_workers", doors="both") == 2
        tree.gone(pids[0], "died")
        tree.gone(pids[1], "stopped")
        found = told(port)
        assert found.of("arcana_logins_total", outcome="ok") == 7
        assert found["arcana_hashing_wait_seconds_count"] == 7
        assert found.of("arcana_database_pool", state="in_use") == 0
        assert found["arcana_workers"] == 0
        assert found.of("arcana_worker_exits_total", cause="died") == 1


def test_what_serves_nobody_is_not_counted_as_serving(tree: Tree) -> None:
    """Or the alert that no worker serves keeps silent while ``manage.py worker`` runs."""
    background = Tree(tree._folder)
    background.born(worker(tree._folder, 1))
    with port_of(background) as port:
        assert "\narcana_workers" not in ask(port).text
        assert told(port).of("arcana_logins_total", outcome="ok") == 1


def test_files_do_not_add_up(tree: Tree) -> None:
    for _ in range(3):
        tree.gone(worker(tree._folder, 1), "died")
    left = sorted(path.name for path in tree._folder.path.glob("*.db"))
    assert left == ["counter_gone.db", "histogram_gone.db"]


def test_nothing_else_is_there(tree: Tree) -> None:
    with port_of(tree) as port:
        assert ask(port, path="/").status_code == 404
        assert ask(port, path="/metrics/../x").status_code == 404
        refused = ask(port, "POST")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        head = ask(port, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 100
        assert ask(port, path="/metrics?name[]=x").status_code == 200


@pytest.mark.parametrize(
    "request_", [b"\x00" * 200 + b"\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n", b"GET /\xff\xfe\r\n\r\n"]
)
def test_garbage_finds_nothing(tree: Tree, request_: bytes) -> None:
    with port_of(tree) as port:
        assert raw(port, request_).startswith(b"HTTP/1.1 404 ")
        assert told(port)["arcana_workers"] == 0


def test_a_head_without_end_is_cut(tree: Tree) -> None:
    with port_of(tree) as port:
        try:
            assert raw(port, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (HEAD_MAX * 4)) == b""
        except ConnectionResetError:
            pass
        assert told(port)["arcana_workers"] == 0


def test_clients_that_say_nothing_hold_nobody_up(tree: Tree) -> None:
    with port_of(tree) as port, ExitStack() as held:
        for _ in range(3 * CONNECTIONS_MAX):
            silent = socket.create_connection(("127.0.0.1", port), timeout=10)
            held.enter_context(silent)
        assert told(port)["arcana_workers"] == 0


def test_the_end_does_not_wait_for_clients(tree: Tree) -> None:
    with ExitStack() as held:
        with port_of(tree) as port:
            silent = socket.create_connection(("127.0.0.1", port), timeout=10)
            held.enter_context(silent)
            told(port)
        assert silent.recv(1) == b""  # closed by the other side


def test_a_file_that_cannot_be_read_is_503(tree: Tree) -> None:
    (tree._folder.path / "counter_1.db").write_bytes(b"x")
    with port_of(tree) as port:
        assert ask(port).status_code == 503
        (tree._folder.path / "counter_1.db").unlink()
        assert ask(port).status_code == 200


def test_the_folder_of_a_killed_tree_is_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "from service.infra.telemetry.folder import metrics_folder\n"
        "with metrics_folder() as folder: print(folder.path, flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdin
    left = Path(process.stdout.readline().strip())
    with _temporary(tmp_path), metrics_folder() as folder:
        assert left.exists()  # its tree lives
        assert folder.path != left
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    with _temporary(tmp_path), metrics_folder():
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []


@contextmanager
def _temporary(path: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(path))
        yield


def test_counting_goes_on_while_it_is_told(tree: Tree) -> None:
    """A scrape amid writes sees whole values, and never fewer than the one before."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, "200000"],
        cwd=ROOT,
        env={FOLDER: str(tree._folder.path), "PYTHONPATH": str(ROOT)},
    )
    seen = [0.0]
    with port_of(tree) as port:
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            seen.append(told(port).of("arcana_logins_total", outcome="ok"))
        seen.append(told(port).of("arcana_logins_total", outcome="ok"))
    assert process.wait(10) == 0
    assert seen == sorted(seen)
    assert seen[-1] == 200_000
