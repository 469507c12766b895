"""The folder in which workers leave their counts, and the parent sums them."""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_PREFIX = "arcana-metrics-"
_LOCK = "lock"
_KEPT = ("counter", "histogram")
_GONE = "gone"
"""Stands for the process number in the files that hold what dead workers counted."""
_TRIES = 3


class Folder:
    """The files of one tree of processes.

    Invariant: what a worker has counted stays counted after its death, in one file for all that
    died, so that sums never fall and the number of files is that of the workers alive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def collect(self) -> list[Metric]:
        """The sums over every worker.

        Raises:
            ValueError: a file can't be read.
        """
        collector = MultiProcessCollector(None, str(self.path))
        with self._lock:
            for _ in range(_TRIES):
                try:
                    return list(collector.collect())
                except Exception:  # noqa: BLE001, S112  # a worker is just making its file
                    continue
        raise ValueError("the metrics of a worker can't be read")

    def bury(self, pid: int) -> None:
        """Keep the counts of a worker that is gone, and forget how it stood."""
        with self._lock:
            mark_process_dead(pid, str(self.path))
            for kind in _KEPT:
                source = self.path / f"{kind}_{pid}.db"
                if source.exists():
                    _add(source, self.path / f"{kind}_{_GONE}.db")
                    source.unlink()


def _add(source: Path, target: Path) -> None:
    total = MmapedDict(str(target))
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(source)):
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
    finally:
        total.close()


@contextmanager
def metrics_folder() -> Iterator[Folder]:
    """A folder of this process tree's own, gone when the block ends.

    A tree that was killed leaves its folder; whoever comes next and finds it unlocked removes it.

    Raises:
        OSError: there is no temporary folder that can be written.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        _remove_if_orphaned(left)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        lock = os.open(path / "new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (path / "new").rename(path / _LOCK)  # nobody ever finds it unlocked while we live
            yield Folder(path)
        finally:
            os.close(lock)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _remove_if_orphaned(path: Path) -> None:
    """Remove a folder whose tree has ended; another user's can't be opened, and stays."""
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # not ours, or just being made
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return  # its tree lives
    finally:
        os.close(lock)
