"""Where a process stands, told by itself although its event loop is stuck."""

import os
import select
import time

_PATIENCE = 0.25
"""Seconds that a stuck process has to say where it stands."""
_PAUSE = 0.05
"""Seconds of silence after which it has said it."""
_SHOWN = 40
"""Frames that are shown, the innermost first."""


class StackPipe:
    """A pipe into which ``faulthandler`` of another process writes, read by this one."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        os.set_blocking(self._ours, False)
        os.set_blocking(self.theirs, False)  # a dump too long for it is cut, not waited for

    def close_theirs(self) -> None:
        """Once the other process has inherited it."""
        os.close(self.theirs)

    def close(self) -> None:
        os.close(self._ours)

    def read(self) -> list[str]:
        """The frames of its event loop; none when it says nothing, as a stopped process does."""
        said, until = b"", time.monotonic() + _PATIENCE
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self._ours], [], [], min(left, _PAUSE) if said else left)
            more = os.read(self._ours, 65536) if ready else b""
            if not more:
                break
            said += more
        return main_thread(said.decode("utf-8", "replace"))


def main_thread(dump: str) -> list[str]:
    """The frames of the thread that was asked, which is the event loop's, as ``place in name``."""
    _, _, ours = dump.partition("Current thread")
    lines = (line.strip() for line in ours.partition("\n\n")[0].splitlines()[1:])
    return [line.removeprefix("File ").replace('"', "") for line in lines if line][:_SHOWN]
