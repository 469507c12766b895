"""The parent of the workers: replaces those that fail, and ends as it is told."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.supervisor import ECHO

PARENT = Path(__file__).parents[1] / "support" / "scripted_parent.py"


@dataclass
class Parent:
    """A supervisor in a process of its own, whose workers follow ``orders``."""

    process: subprocess.Popen[bytes]
    log: Path
    script: Path

    def orders(self, words: str) -> None:
        self.script.write_text(words)

    def ready(self) -> list[int]:
        """The pids of the workers that said they were ready, in order."""
        return [int(pid) for pid in re.findall(r"worker ready pid=(\d+)", self.log.read_text())]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def ends(self) -> int:
        return self.process.wait(30)


@pytest.fixture
def parent(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Parent]:
    count, grace = getattr(request, "param", (2, 10))
    log, script = tmp_path / "log", tmp_path / "orders"
    script.write_text("")
    command = [sys.executable, str(PARENT), str(count), str(grace), str(script)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    parent = Parent(process, log, script)
    try:
        parent.wait_for(lambda: len(parent.ready()) == count)
        yield parent
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for pid in parent.ready():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_told_to_stop_it_ends_its_workers_and_exits_with_0(parent: Parent) -> None:
    parent.process.send_signal(signal.SIGTERM)
    assert parent.ends() == 0
    assert not any(map(is_alive, parent.ready()))


def test_ctrl_c_ends_it_as_sigterm_does(parent: Parent) -> None:
    parent.process.send_signal(signal.SIGINT)
    assert parent.ends() == 0


def test_a_killed_worker_is_replaced_and_the_other_is_left_alone(parent: Parent) -> None:
    victim, other = parent.ready()
    os.kill(victim, signal.SIGKILL)
    parent.wait_for(lambda: len(parent.ready()) == 3)
    assert is_alive(other)
    assert "worker died" in parent.log.read_text()


@pytest.mark.parametrize("parent", [(1, 10)], indirect=True)
def test_a_worker_that_shows_no_life_is_killed_and_replaced(parent: Parent) -> None:
    (stuck,) = parent.ready()
    os.kill(stuck, signal.SIGSTOP)
    parent.wait_for(lambda: len(parent.ready()) == 2)
    assert not is_alive(stuck)


def test_a_reload_replaces_every_worker_and_never_has_fewer(parent: Parent) -> None:
    before = parent.ready()
    parent.process.send_signal(signal.SIGHUP)
    while len(parent.ready()) < 4 or any(map(is_alive, before)):
        parent.wait_for(lambda: sum(map(is_alive, parent.ready())) >= 2)
        time.sleep(0.01)
    assert len(set(parent.ready())) == 4


@pytest.mark.parametrize("parent", [(1, 1)], indirect=True)
def test_a_worker_that_does_not_finish_in_its_grace_is_killed(parent: Parent) -> None:
    parent.orders("deaf")
    time.sleep(0.2)
    parent.process.send_signal(signal.SIGTERM)
    assert parent.ends() == 1


@pytest.mark.parametrize("parent", [(1, 60)], indirect=True)
def test_a_second_signal_ends_everything_at_once(parent: Parent) -> None:
    parent.orders("deaf")
    time.sleep(0.2)
    parent.process.send_signal(signal.SIGTERM)
    parent.wait_for(lambda: "SIGTERM" in parent.log.read_text())
    parent.process.send_signal(signal.SIGTERM)  # an echo, as make and process groups give
    time.sleep(ECHO)
    assert parent.process.poll() is None
    parent.process.send_signal(signal.SIGTERM)
    assert parent.ends() == 1


@pytest.mark.parametrize("parent", [(1, 10)], indirect=True)
def test_workers_that_die_again_and_again_end_the_process_with_1(parent: Parent) -> None:
    parent.orders("die")
    os.kill(parent.ready()[0], signal.SIGKILL)
    assert parent.ends() == 1
    assert "giving up" in parent.log.read_text()


def test_workers_leave_when_their_parent_is_killed(parent: Parent) -> None:
    parent.process.kill()
    parent.process.wait()
    parent.wait_for(lambda: not any(map(is_alive, parent.ready())))


def test_what_ended_a_worker_is_in_the_log(parent: Parent) -> None:
    os.kill(parent.ready()[0], signal.SIGKILL)
    parent.wait_for(lambda: "cause=SIGKILL" in parent.log.read_text())
    parent.orders("die")
    os.kill(parent.ready()[1], signal.SIGTERM)
    parent.wait_for(lambda: 'cause="exit code 3"' in parent.log.read_text())


@pytest.mark.parametrize("parent", [(1, 10)], indirect=True)
def test_where_a_stuck_worker_stands_is_in_the_log(parent: Parent) -> None:
    parent.orders("hang")
    parent.wait_for(lambda: "no sign of life" in parent.log.read_text())
    line = next(line for line in parent.log.read_text().splitlines() if "no sign of life" in line)
    assert re.search(r"scripted_worker.py, line \d+ in main", line)


@pytest.mark.parametrize("parent", [(1, 10)], indirect=True)
def test_a_reload_whose_new_worker_dies_leaves_the_old_one(parent: Parent) -> None:
    (old,) = parent.ready()
    parent.orders("die")
    parent.process.send_signal(signal.SIGHUP)
    parent.wait_for(lambda: "the old stay" in parent.log.read_text())
    parent.orders("")
    time.sleep(1)
    assert is_alive(old)
    assert parent.ready() == [old]
    parent.process.send_signal(signal.SIGTERM)
    assert parent.ends() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a process id of 1 takes a namespace, so root")
def test_the_first_process_of_a_container_buries_orphans(tmp_path: Path) -> None:
    orders, buried = tmp_path / "orders", tmp_path / "buried"
    orders.write_text("orphan")
    container = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = [*container, sys.executable, str(PARENT), "1", "10", str(orders)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while not buried.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline, "nobody waited for the orphan"
                time.sleep(0.05)
        finally:
            process.kill()
