"""The socket in the file system over which the command line reaches a running service.

One line asks, lines answer; the last is ``done`` or begins with ``failed``. Whoever may open the
file may ask: it is its owner's alone.
"""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

RELOAD, SOCKETS, LEAVE = "reload", "sockets", "leave"
DONE, FAILED = "done", "failed"
_LINE_MAX = 64
_FDS_MAX = 8

Tell = Callable[[str], None]
"""Sends a line to whoever asked."""
Answer = Callable[["Asker", str], None]


class NobodyThereError(Exception):
    """No service listens at that path."""


class Asker:
    """The service's end of one connection; one that reads too slowly misses lines."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.setblocking(False)

    def heard(self) -> str | None:
        """What it asks now, or None when it has gone."""
        try:
            return self.connection.recv(_LINE_MAX).decode("ascii", "replace").strip() or None
        except OSError:
            return None

    def tell(self, line: str) -> None:
        with suppress(OSError):
            self.connection.send(f"{line}\n".encode())

    def give(self, sockets: Sequence[socket.socket]) -> None:
        """Hand over copies of listening sockets (``SCM_RIGHTS``)."""
        with suppress(OSError):
            socket.send_fds(
                self.connection, [f"{DONE}\n".encode()], [one.fileno() for one in sockets]
            )


@contextmanager
def control_socket(path: Path) -> Iterator[socket.socket]:
    """A listening socket at ``path``, in place of one that was there.

    The earlier service keeps its connections, and at the end only our own file is removed.

    Raises:
        OSError: nothing can be made there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        old = os.umask(0o177)
        try:
            server.bind(str(new))
        finally:
            os.umask(old)
        ours = new.stat().st_ino
        server.listen(8)
        server.setblocking(False)
        new.replace(path)
        try:
            yield server
        finally:
            with suppress(OSError):
                if path.stat().st_ino == ours:
                    path.unlink()


class Line:
    """The command line's end of a connection."""

    def __init__(self, path: Path, timeout: float) -> None:
        """``timeout`` is how many seconds each answer may take.

        Raises:
            NobodyThereError: no service listens there.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._rest = b""
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise NobodyThereError(str(path)) from None

    def ask(self, what: str) -> Iterator[str]:
        """Ask, and give each line of the answer as it comes.

        Raises:
            TimeoutError: no line came in time.
        """
        self._socket.sendall(f"{what}\n".encode())
        while True:
            line = self._line()
            yield line
            if line == DONE or line.startswith(FAILED):
                return

    def take_sockets(self) -> list[socket.socket]:
        """Copies of the sockets that the service listens on.

        Raises:
            TimeoutError: no answer came in time.
            NobodyThereError: the service went away, or gives none.
        """
        self._socket.sendall(f"{SOCKETS}\n".encode())
        _, fds, _, _ = socket.recv_fds(self._socket, _LINE_MAX, _FDS_MAX)
        if not fds:
            raise NobodyThereError
        return [socket.socket(fileno=fd) for fd in fds]

    def let_leave(self) -> None:
        """Tell the service that another one serves in its place; deaf ones stay."""
        with suppress(OSError):
            self._socket.sendall(f"{LEAVE}\n".encode())

    def close(self) -> None:
        self._socket.close()

    def _line(self) -> str:
        while b"\n" not in self._rest:
            more = self._socket.recv(4096)
            if not more:
                return f"{FAILED}: the service went away"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()
