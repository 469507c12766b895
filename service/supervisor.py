"""The parent of the workers: it owns the sockets, starts workers, and replaces those that fail."""

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

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
GIVE_UP = 5
"""Failed starts in a row, of all workers, after which the process ends for its orchestrator."""
READY, ALIVE, RETIRE = b"R", b".", b"H"


class Worker:
    """One worker process and the link over which it says that it lives."""

    def __init__(self, command: Sequence[str], sockets: Sequence[socket.socket], slot: int) -> None:
        self.slot, self.ready, self.kill_at = slot, False, 0.0
        self.born = self.beat = time.monotonic()
        self.link, theirs = socket.socketpair()
        self.link.setblocking(False)
        with theirs:
            fds = [*(s.fileno() for s in sockets), theirs.fileno()]
            # A group of its own: Ctrl-C reaches the parent alone, which passes it on once. And the
            # parent's own path, so that both run the same tree whatever else is installed.
            path = os.pathsep.join(part for part in sys.path if part)
            self.process = subprocess.Popen(  # noqa: S603  # our own command
                [*command, *map(str, fds)],
                pass_fds=fds,
                process_group=0,
                env={**os.environ, "PYTHONPATH": path},
            )

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
        self.kill_at = time.monotonic() + grace
        with suppress(OSError):
            if retire:
                self.link.send(RETIRE)
            else:
                self.process.send_signal(signal.SIGTERM)


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
    ) -> None:
        """``command`` starts a worker; the sockets' numbers and the link's are its last words.

        ``grace`` is how many seconds a worker may take to finish.
        """
        self._command, self._sockets, self._count, self._grace = command, sockets, count, grace
        self._selector = selectors.DefaultSelector()
        self._workers: list[Worker] = []
        self._failures = [0] * count
        self._not_before = [0.0] * count
        self._to_reload: list[Worker] = []
        self._closing, self._closed_at, self._code = False, 0.0, 0

    def run(self) -> int:
        """Serve until told to stop; the exit code: 0 when every worker left in peace."""
        noted, wake = socket.socketpair()
        wake.setblocking(False)
        self._selector.register(noted, selectors.EVENT_READ)
        old = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        try:
            while not self._closing or self._workers:
                self._listen()
                self._check(time.monotonic())
        finally:
            signal.set_wakeup_fd(old)
            self._kill_all()
        return self._code

    def _listen(self) -> None:
        for key, _ in self._selector.select(0.1):
            source = key.fileobj
            assert isinstance(source, socket.socket)
            try:
                data = source.recv(4096)
            except OSError:
                data = b""
            if not isinstance(key.data, Worker):
                for number in data:
                    self._signalled(number)
            elif data:
                key.data.heard(data)
            else:  # it is going; the next check finds out how
                self._selector.unregister(source)

    def _signalled(self, number: int) -> None:
        log.info("signal %s", signal.Signals(number).name)
        if number == signal.SIGHUP:
            self._to_reload = [worker for worker in self._workers if not worker.is_stopping]
        elif self._closing:
            if time.monotonic() - self._closed_at < ECHO:
                return
            self._code = 1
            self._kill_all()
        else:
            self._close()

    def _close(self) -> None:
        self._closing, self._closed_at = True, time.monotonic()
        for listening in self._sockets:  # open while a worker holds it; nobody queues in vain
            listening.close()
        for worker in self._workers:
            worker.stop(self._grace)

    def _kill_all(self) -> None:
        for worker in self._workers:
            worker.process.kill()

    def _check(self, now: float) -> None:
        for worker in list(self._workers):
            code = worker.process.poll()
            if code is not None:
                self._left(worker, code, now)
            elif worker.is_stopping and now > worker.kill_at:
                self._kill(worker, "did not finish within its grace")
            elif not worker.is_stopping and worker.silent_for(now) > 0:
                self._kill(worker, "its event loop gave no sign of life")
        if not self._closing:
            self._fill(now)
            self._reload(now)

    def _kill(self, worker: Worker, why: str) -> None:
        log.error("worker killed: %s", why, extra={"pid": worker.pid})
        with suppress(ProcessLookupError):
            worker.process.send_signal(signal.SIGUSR2)  # it prints where it stands
            time.sleep(0.05)
            worker.process.kill()

    def _left(self, worker: Worker, code: int, now: float) -> None:
        self._workers.remove(worker)
        with suppress(KeyError, ValueError):
            self._selector.unregister(worker.link)
        worker.link.close()
        if worker.is_stopping or self._closing:
            bad = code != 0 and (worker.ready or code != -signal.SIGTERM)
            self._code = self._code or int(bad)
            log.info("worker stopped", extra={"pid": worker.pid, "code": code})
            return
        self._failures[worker.slot] = self._failures[worker.slot] + 1 if worker.age < YOUNG else 0
        failures = self._failures[worker.slot]
        delay = min(BEAT * 2**failures, BACKOFF_MAX) if failures > 1 else 0.0
        self._not_before[worker.slot] = now + delay
        log.error(
            "worker died", extra={"pid": worker.pid, "code": code, "next_in_s": round(delay, 2)}
        )
        if failures >= GIVE_UP:
            log.critical("workers die again and again: giving up")
            self._code = 1
            self._close()

    def _fill(self, now: float) -> None:
        held = {worker.slot for worker in self._workers if not worker.is_stopping}
        for slot in set(range(self._count)) - held:
            if now >= self._not_before[slot]:
                self._start(slot)

    def _reload(self, now: float) -> None:
        """Replace one worker at a time: start, wait until it is ready, retire the old one."""
        self._to_reload = [worker for worker in self._to_reload if worker in self._workers]
        for old in self._to_reload[:1]:
            newer = [w for w in self._workers if w.slot == old.slot and w.born > old.born]
            if newer and newer[-1].ready:
                old.stop(self._grace, retire=True)
            elif not newer and now >= self._not_before[old.slot]:
                self._start(old.slot)

    def _start(self, slot: int) -> None:
        worker = Worker(self._command, self._sockets, slot)
        self._workers.append(worker)
        self._selector.register(worker.link, selectors.EVENT_READ, worker)
