"""The parent of the workers: it owns the sockets, starts workers, and replaces those that fail."""

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Protocol

from service import control
from service.control import Asker
from service.stacks import StackPipe

log = logging.getLogger("arcana.supervisor")

BEAT = 0.25
"""Seconds between two signs of life of a worker's event loop."""
STUCK = 2.5
"""Seconds without a sign of life after which a worker is replaced."""
START = 30.0
"""Seconds a worker may take until it is ready."""
YOUNG = 10.0
"""A worker that dies within so many seconds makes its successor wait."""
BACKOFF_MAX = 10.0
ECHO = 1.0
"""Seconds in which a second signal is taken for the first one's echo: ``make`` and process groups
pass on what they were sent."""
NO_HURRY = 10.0
"""Seconds more that a worker has to leave when its successor serves already."""
GIVE_UP = 5
"""Early deaths in a row, of one slot, after which the process ends for its orchestrator."""
READY, ALIVE, RETIRE = b"R", b".", b"H"


NOTHING: Mapping[str, str] = MappingProxyType({})


class Watcher(Protocol):
    """Whoever counts workers."""

    def born(self, pid: int) -> None: ...

    def gone(self, pid: int, cause: str) -> None: ...


class Worker:
    """One worker process and the link over which it says that it lives."""

    def __init__(
        self,
        command: Sequence[str],
        sockets: Sequence[socket.socket],
        slot: int,
        environment: Mapping[str, str] = NOTHING,
    ) -> None:
        self.slot, self.ready, self.kill_at = slot, False, 0.0
        self.killed_for = ""
        self.born = self.beat = time.monotonic()
        self.link, theirs = socket.socketpair()
        self.link.setblocking(False)
        self.stack = StackPipe()
        with theirs:
            fds = [*(s.fileno() for s in sockets), self.stack.theirs, theirs.fileno()]
            # A group of its own: Ctrl-C reaches the parent alone, which passes it on once. And the
            # parent's own path, so that both run the same tree whatever else is installed.
            path = os.pathsep.join(part for part in sys.path if part)
            self.process = subprocess.Popen(  # noqa: S603  # our own command
                [*command, *map(str, fds)],
                pass_fds=fds,
                process_group=0,
                env={**os.environ, **environment, "PYTHONPATH": path},
            )
        self.stack.close_theirs()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_stopping(self) -> bool:
        return self.kill_at > 0

    def heard(self, data: bytes) -> None:
        self.beat = time.monotonic()
        if READY in data and not self.ready:
            self.ready = True
            log.info("worker ready", extra={"pid": self.pid, "after_s": round(self.age, 2)})

    @property
    def age(self) -> float:
        return time.monotonic() - self.born

    def silent_for(self, now: float) -> float:
        """Seconds over its allowance that nothing was heard; negative while all is well."""
        return now - self.beat - (STUCK if self.ready else START)

    def stop(self, grace: float, *, retire: bool = False) -> None:
        """Ask it to finish what it has; ``retire`` when a successor already accepts beside it."""
        if self.is_stopping:
            return
        self.kill_at = time.monotonic() + grace + (NO_HURRY if retire else 0.0)
        with suppress(OSError):
            if retire:
                self.link.send(RETIRE)
            else:
                self.process.send_signal(signal.SIGTERM)

    def kill(self, why: str, cause: str) -> None:
        """End it at once, and log where it stood; ``cause`` is why in a word, for counts."""
        self.killed_for = self.killed_for or cause
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self.process.send_signal(signal.SIGUSR2)
            stack = self.stack.read()
            self.process.kill()
            log.error("worker killed: %s", why, extra={"pid": self.pid, "stack": stack})
            self.process.wait(ECHO)

    def close(self) -> None:
        self.link.close()
        self.stack.close()


class Supervisor:
    """Keeps ``count`` workers alive until it is told to stop.

    SIGTERM and SIGINT let every worker finish what it has, a second one ends them at once;
    SIGHUP replaces the workers one by one, each new one ready before its old one retires, while
    the sockets stay open throughout. Signals are only noted when they come and handled in the
    loop, so none interrupts anything half done.
    """

    def __init__(
        self,
        command: Sequence[str],
        sockets: Sequence[socket.socket],
        count: int,
        *,
        grace: float,
        environment: Mapping[str, str] = NOTHING,
        watcher: Watcher | None = None,
        controlled_by: socket.socket | None = None,
        given: Sequence[socket.socket] = (),
        when_ready: Callable[[], None] | None = None,
    ) -> None:
        """``command`` starts a worker; the numbers of what it inherits are its last words.

        Those are the sockets, the pipe for its stack and the link. ``grace`` is how many seconds a
        worker may take to finish. ``environment`` is added to this process's own for each worker,
        and ``watcher`` is told of every one. The command line asks over ``controlled_by``, and who
        takes over gets the sockets ``given``. ``when_ready`` is called once, when every worker
        serves.
        """
        self._environment, self._watcher = environment, watcher
        self._command, self._sockets, self._count, self._grace = command, sockets, count, grace
        self._control, self._when_ready = controlled_by, when_ready
        self._given = given or sockets
        self._selector = selectors.DefaultSelector()
        self._workers: list[Worker] = []
        self._failures = [0] * count
        self._not_before = [0.0] * count
        self._to_reload: list[Worker] = []
        self._reloading, self._askers = 0, list[Asker]()
        self._closing, self._closed_at, self._code = False, 0.0, 0

    def run(self) -> int:
        """Serve until told to stop; the exit code: 0 when every worker left in peace."""
        noted, wake = socket.socketpair()
        wake.setblocking(False)
        self._selector.register(noted, selectors.EVENT_READ, lambda: self._wake(noted))
        if self._control is not None:
            self._selector.register(self._control, selectors.EVENT_READ, self._answer_the_door)
        old = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        try:
            while not self._closing or self._workers:
                for key, _ in self._selector.select(0.1):
                    key.data()
                self._check(time.monotonic())
        finally:
            signal.set_wakeup_fd(old)
            self._kill_all()
        return self._code

    # What is heard

    def _wake(self, noted: socket.socket) -> None:
        for number in noted.recv(4096):
            self._signalled(number)

    def _hear(self, worker: Worker) -> None:
        try:
            data = worker.link.recv(4096)
        except OSError:
            data = b""
        if data:
            worker.heard(data)
        else:  # it is going; the next check finds out how
            self._selector.unregister(worker.link)

    def _signalled(self, number: int) -> None:
        log.info("signal %s", signal.Signals(number).name)
        if number == signal.SIGHUP:
            self._begin_reload()
        elif self._closing:
            if time.monotonic() - self._closed_at < ECHO:
                return
            self._code = 1
            self._kill_all()
        else:
            self._close()

    def _answer_the_door(self) -> None:
        assert self._control is not None
        with suppress(OSError):
            asker = Asker(self._control.accept()[0])
            self._selector.register(
                asker.connection, selectors.EVENT_READ, lambda: self._asked(asker)
            )

    def _asked(self, asker: Asker) -> None:
        match asker.heard():
            case None:
                self._selector.unregister(asker.connection)
                asker.connection.close()
                self._askers = [other for other in self._askers if other is not asker]
            case _ if self._closing:
                asker.tell(f"{control.FAILED}: the service is stopping")
            case control.RELOAD:
                self._askers.append(asker)
                self._begin_reload()
            case control.SOCKETS:
                asker.give(self._given)
            case control.LEAVE:
                asker.tell(control.DONE)
                self._close(retire=True)
            case _:
                asker.tell(f"{control.FAILED}: not understood")

    def _tell(self, line: str) -> None:
        log.info("reload: %s", line)
        for asker in self._askers:
            asker.tell(line)

    # What is done

    def _close(self, *, retire: bool = False) -> None:
        """Stop; ``retire`` when another service accepts from the same sockets."""
        self._closing, self._closed_at = True, time.monotonic()
        if self._reloading:
            self._end_reload(f"{control.FAILED}: the service is stopping")
        for listening in self._sockets:  # open while a worker holds it; nobody queues in vain
            listening.close()
        for worker in self._workers:
            worker.stop(self._grace, retire=retire)

    def _kill_all(self) -> None:
        for worker in self._workers:
            worker.process.kill()

    def _check(self, now: float) -> None:
        for worker in list(self._workers):
            code = worker.process.poll()
            if code is not None:
                self._left(worker, code, now)
            elif worker.is_stopping and now > worker.kill_at:
                worker.kill("did not finish within its grace", "late")
            elif not worker.is_stopping and worker.silent_for(now) > 0:
                worker.kill("its event loop gave no sign of life", "stuck")
        if os.getpid() == 1:
            self._reap_strangers()
        if not self._closing:
            self._fill(now)
            self._reload(now)
            self._tell_when_ready()

    def _reap_strangers(self) -> None:
        """Bury orphans, which the kernel gives to the first process of a container."""
        ours = {worker.pid for worker in self._workers}
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):
            while (dead := os.waitid(os.P_ALL, 0, options)) and dead.si_pid not in ours:
                os.waitpid(dead.si_pid, 0)

    def _left(self, worker: Worker, code: int, now: float) -> None:
        self._workers.remove(worker)
        with suppress(KeyError, ValueError):
            self._selector.unregister(worker.link)
        worker.close()
        if self._watcher:
            as_told = "stopped" if worker.is_stopping or self._closing else "died"
            self._watcher.gone(worker.pid, worker.killed_for or as_told)
        if worker.is_stopping or self._closing:
            if self._closing and code != 0 and (worker.ready or code != -signal.SIGTERM):
                self._code = 1
            log.info("worker stopped", extra={"pid": worker.pid, "cause": cause(code)})
            return
        log.error("worker died", extra={"pid": worker.pid, "cause": cause(code)})
        if any(old.slot == worker.slot for old in self._to_reload if old in self._workers):
            self._end_reload(f"{control.FAILED}: a new worker died ({cause(code)}); the old stay")
        else:
            self._back_off(worker, now)

    def _back_off(self, worker: Worker, now: float) -> None:
        self._failures[worker.slot] = self._failures[worker.slot] + 1 if worker.age < YOUNG else 0
        failures = self._failures[worker.slot]
        delay = min(BEAT * 2**failures, BACKOFF_MAX) if failures > 1 else 0.0
        self._not_before[worker.slot] = now + delay
        if failures >= GIVE_UP:
            log.critical("workers die again and again: giving up")
            self._code = 1
            self._close()

    def _fill(self, now: float) -> None:
        held = {worker.slot for worker in self._workers if not worker.is_stopping}
        for slot in set(range(self._count)) - held:
            if now >= self._not_before[slot]:
                self._start(slot)

    def _begin_reload(self) -> None:
        self._to_reload = [worker for worker in self._workers if not worker.is_stopping]
        self._reloading = len(self._to_reload)
        if not self._reloading:
            self._end_reload(f"{control.FAILED}: no worker runs")
            return
        self._tell(f"replacing {self._reloading}, one at a time")

    def _reload(self, now: float) -> None:
        """Replace one worker at a time: start, wait until it is ready, retire the old one."""
        if not self._reloading:
            return
        left = [worker for worker in self._to_reload if worker in self._workers]
        if len(left) < len(self._to_reload):
            self._tell(f"replaced {self._reloading - len(left)} of {self._reloading}")
        self._to_reload = left
        for old in left[:1]:
            newer = [w for w in self._workers if w.slot == old.slot and w.born > old.born]
            if newer and newer[-1].ready:
                old.stop(self._grace, retire=True)
            elif not newer and now >= self._not_before[old.slot]:
                self._start(old.slot)
        if not left and all(worker.ready for worker in self._workers):
            self._end_reload(control.DONE)

    def _end_reload(self, line: str) -> None:
        self._tell(line)
        self._to_reload, self._reloading, self._askers = [], 0, []

    def _tell_when_ready(self) -> None:
        if self._when_ready and sum(w.ready for w in self._workers) >= self._count:
            tell, self._when_ready = self._when_ready, None
            tell()

    def _start(self, slot: int) -> None:
        worker = Worker(self._command, self._sockets, slot, self._environment)
        if self._watcher:
            self._watcher.born(worker.pid)
        self._workers.append(worker)
        self._selector.register(worker.link, selectors.EVENT_READ, lambda: self._hear(worker))


def cause(code: int) -> str:
    """What ended a process, in words: ``subprocess`` gives signals as negative numbers."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"
