"""``manage.py worker`` in a process of its own, to be killed and started again."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

from tests.support.processes import SECRET, environment

ROOT = Path(__file__).parents[2]
RELAYS = "this process relays events now"


class Working:
    """One ``manage.py worker`` with a folder of its own, in which its log and heartbeat are."""

    def __init__(self, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="arcana-working-"))
        self._log = self.folder / "log"
        self._log.touch()
        chosen = {"JWT_SECRET": SECRET, "RUN_FOLDER": str(self.folder), **settings}
        self.settings = chosen
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def turns(self) -> int:
        """How many times it has begun to relay."""
        return self.log.count(RELAYS)

    @property
    def child(self) -> int | None:
        """The process that does the work; None while there is none."""
        assert self.process is not None
        with suppress(psutil.Error):
            children = psutil.Process(self.process.pid).children()
            live = [c.pid for c in children if c.status() != psutil.STATUS_ZOMBIE]
            return live[0] if live else None
        return None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = await asyncio.to_thread(
                subprocess.Popen,
                [sys.executable, str(ROOT / "manage.py"), "worker"],
                cwd=self.folder,
                env=environment(**self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def until_logged(self, words: str, times: int = 1, seconds: float = 60) -> None:
        """Wait until the log holds ``words`` so many times."""
        assert self.process is not None
        async with asyncio.timeout(seconds):
            while self.log.count(words) < times:
                assert self.process.poll() is None, self.log
                await asyncio.sleep(0.05)

    async def ended(self, seconds: float) -> int:
        """Wait until it has ended; its exit code."""
        assert self.process is not None
        async with asyncio.timeout(seconds):
            while (code := self.process.poll()) is None:
                await asyncio.sleep(0.01)
        return code

    def kill(self) -> None:
        """kill -9 of all of it, as the end of a machine does."""
        assert self.process is not None
        for pid in (self.process.pid, self.child):
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@asynccontextmanager
async def working(settings: Mapping[str, str], count: int = 1) -> AsyncIterator[list[Working]]:
    """So many workers over the same settings, the first of them relaying; killed at the end."""
    with_ends = AsyncExitStack()
    async with with_ends:
        found: list[Working] = []
        for _ in range(count):
            one = Working(**settings)
            with_ends.callback(one.remove)
            await one.start()
            await one.until_logged("worker ready" if found else RELAYS)
            found.append(one)
        yield found
