"""The container's own question to a worker, which has no door to knock at."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service import background
from service.background import Heartbeat
from service.commands import healthcheck
from tests.support.processes import ROOT, environment


@pytest.fixture(name="heartbeat")
def heartbeat_in_the_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUN_FOLDER", str(tmp_path))
    return tmp_path / background.HEARTBEAT


def test_both_sides_mean_the_same_file() -> None:
    assert healthcheck.HEARTBEAT == background.HEARTBEAT


def test_a_worker_that_beats_is_alive(heartbeat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Heartbeat(heartbeat).beat()
    assert healthcheck.main("worker") == 0
    assert capsys.readouterr().out == "worker: alive\n"


def test_a_worker_that_has_been_silent_is_not(
    heartbeat: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heartbeat.touch()
    past = time.time() - 60
    os.utime(heartbeat, (past, past))
    assert healthcheck.main("worker") == 1
    assert capsys.readouterr().out.startswith("worker: silent for 6")


def test_a_worker_that_never_beat_or_has_left_is_not(
    heartbeat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "EVERY", 0.0)
    assert healthcheck.main("worker") == 1
    beating = Heartbeat(heartbeat)
    beating.beat()
    assert healthcheck.main("worker") == 0
    beating.end()
    beating.beat()  # its loop goes round until the process ends
    assert healthcheck.main("worker") == 1


@pytest.mark.parametrize(
    ("first_process", "asked"),
    [
        (b"python\0/app/manage.py\0worker\0", "worker"),
        (b"/sbin/docker-init\0--\0python\0/app/manage.py\0worker\0", "worker"),
        (b"python\0/app/manage.py\0serve\0", "http"),
        (b"python\0/app/manage.py\0serve\0--doors\0http\0", "http"),
        (b"python\0/app/manage.py\0serve\0--doors=http\0", "http"),
        (b"python\0/app/manage.py\0serve\0--doors\0both\0", "http"),
        (b"python\0/app/manage.py\0serve\0--doors\0grpc\0", "grpc"),
        (b"python\0/app/manage.py\0serve\0--doors=grpc\0--take-over\0", "grpc"),
        (b"python\0/app/manage.py\0serve\0--doors=grpc\0--doors\0http\0", "http"),
        (b"python\0/app/manage.py\0serve\0--doors\0", "http"),
        (b"", "http"),
    ],
)
def test_without_a_word_it_asks_what_the_container_was_started_for(
    heartbeat: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    first_process: bytes,
    asked: str,
) -> None:
    process = heartbeat.with_name("cmdline")
    process.write_bytes(first_process)
    monkeypatch.setattr(healthcheck, "FIRST_PROCESS", process)
    for door in ("HTTP", "GRPC"):
        monkeypatch.setenv(f"{door}_PORT", "1")
    assert healthcheck.main() == 1
    assert capsys.readouterr().out.startswith(f"{asked}: ")


def test_a_folder_that_cannot_be_written_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "EVERY", 0.0)
    beating = Heartbeat(tmp_path / "not there" / "alive")
    beating.beat()
    beating.beat()
    beating.end()
    assert [record.getMessage() for record in caplog.records] == [
        "RUN_FOLDER: no heartbeat: No such file or directory"
    ]


def test_it_imports_next_to_nothing(tmp_path: Path) -> None:
    asked = "import sys, service.commands.healthcheck as h; print(*sorted(sys.modules))"
    command = [sys.executable, "-c", asked]
    done = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"pydantic", "tortoise", "sanic", "grpclib", "redis"} & set(done.stdout.split())
