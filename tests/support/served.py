"""The real service in processes of its own, as ``manage.py serve`` starts it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # it ships no types

from service.infra.database import Database
from service.infra.migrations import Migrator
from tests.support.servers import free_port

ROOT = Path(__file__).parent.parent.parent
_TAKEN = "is taken by another process"
ADMIN, PASSWORD = "root@example.com", "correct horse battery"


class Served:
    """``manage.py serve`` with both doors on free ports, and an admin."""

    def __init__(self, database_url: str, **settings: str) -> None:
        self.http_port, self.rpc_port = free_port(), free_port()
        self._log = Path(tempfile.mkdtemp(prefix="arcana-served-")) / "log"
        self._environment = os.environ | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
            "DATABASE_URL": database_url,
            "JWT_SECRET": "a secret of the tests, longer than 32 bytes",
            "HTTP_PORT": str(self.http_port),
            "GRPC_PORT": str(self.rpc_port),
            "METRICS_PORT": "off",
            "RATE_LIMITS": "off",
            "ADMIN_EMAIL": ADMIN,
            "ADMIN_PASSWORD": PASSWORD,
            "RUN_FOLDER": str(self._log.parent),
            "DRAIN_DELAY": "0",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """The parent of the workers."""
        assert self._process is not None
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that serve: each leads a process group (``service/server.py``)."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True)
        return sorted(
            c.pid for c in children if c.status() != psutil.STATUS_ZOMBIE and _serves(c.pid)
        )

    @property
    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    async def start(self) -> None:
        self._process = self._launched()
        async with asyncio.timeout(60):
            while await self.health("ready") != 200:
                if self._process.poll() is not None:
                    assert _TAKEN in self.log, self.log
                    self._choose_ports()
                    self._process = self._launched()
                await asyncio.sleep(0.1)

    def _choose_ports(self) -> None:
        """Others here look for free ports, too: one may be taken before we listen."""
        self.http_port, self.rpc_port = free_port(), free_port()
        ports = {"HTTP_PORT": str(self.http_port), "GRPC_PORT": str(self.rpc_port)}
        self._environment |= ports
        self._log.write_text("")

    def _launched(self, options: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "serve", *options],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    async def health(self, which: str) -> int:
        """The status of ``/health/live`` or ``/health/ready``; 0 when nobody answers in 10 s."""
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            try:
                url = f"http://127.0.0.1:{self.http_port}/health/{which}"
                return (await client.get(url)).status_code
            except httpx.HTTPError:
                return 0

    def terminate(self) -> None:
        """SIGTERM to the parent, as a container's runtime does."""
        os.kill(self.pid, signal.SIGTERM)

    async def ended(self, timeout: float) -> int:
        """Wait until it has ended; its exit code.

        Raises:
            TimeoutError: it runs still.
        """
        assert self._process is not None
        async with asyncio.timeout(timeout):
            while (code := self._process.poll()) is None:
                await asyncio.sleep(0.01)
        return code

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run a command of manage.py beside it, with its settings: the exit code, what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "manage.py",
            *arguments,
            cwd=ROOT,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def take_over(self) -> int:
        """Start another service that takes the doors of this one; the first one's exit code."""
        first, self._process = self._process, self._launched(["--take-over"])
        assert first is not None
        async with asyncio.timeout(60):
            while first.poll() is None:
                assert self._process.poll() is None, self.log
                await asyncio.sleep(0.02)
        return int(first.returncode)

    async def stop(self) -> None:
        """Stop it; whatever does not stop in time is killed."""
        if self._process is None or self._process.poll() is not None:
            return
        family = [self._process.pid, *self.workers]
        self._process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 20
        while self._process.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.05)
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()

    def remove(self) -> None:
        """Remove the log."""
        shutil.rmtree(self._log.parent, ignore_errors=True)


@asynccontextmanager
async def served(database_url: str, **settings: str) -> AsyncIterator[Served]:
    """A service over the database at ``database_url``, which is migrated first."""
    await Migrator(Database(database_url)).up()
    service = Served(database_url, **settings)
    try:
        await service.start()
        yield service
    finally:
        await service.stop()
        service.remove()


def _serves(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False
