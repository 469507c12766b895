"""Database servers of one test, on ports and in folders of their own, to kill and revive."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from service.infra.database import Database, DatabaseUnavailable

START_SECONDS = 60.0


class OwnServer:
    """A database server that only this test knows; ``kill`` is a power cut for it."""

    backend: ClassVar[str]
    account: ClassVar[str]
    admin: ClassVar[str]

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"arcana-{self.backend}-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str = "arcana", port: int | None = None) -> str:
        return f"{self.admin}@127.0.0.1:{port or self.port}/{name}"

    @classmethod
    def absence(cls) -> str | None:
        """Why there can be none here, or None."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make an empty data folder."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def launch(self) -> None:
        """Start it, without waiting until it answers."""
        log = (self.folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [*self._as_account(), *self.command()], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        log.close()

    async def start(self) -> float:
        """Start it, again if need be, and wait until it answers; when that was, monotonic."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                self.launch()  # a server killed just now may still hold its files
            if await self._answers():
                return time.monotonic()
            await asyncio.sleep(0.02)
        raise TimeoutError((self.folder / "server.log").read_text()[-2000:])

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def execute(self, statement: str, database: str = "") -> list[dict[str, object]]:
        url = self.url(database or self.root_database)
        client = Database(url, connect_timeout=1).engine(pool_size=1, command_timeout=30)
        try:
            await client.create_connection(with_db=True)
            return [dict(row) for row in (await client.execute_query(statement))[1]]
        finally:
            await client.close()

    root_database: ClassVar[str]

    async def _answers(self) -> bool:
        try:
            await self.execute("SELECT 1")
        except DatabaseUnavailable:
            return False
        return True

    def _as_account(self) -> list[str]:
        """Servers refuse to run as root: then they run as their own user."""
        if os.geteuid() != 0:
            return []
        found = pwd.getpwnam(self.account)
        return ["setpriv", f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--clear-groups"]

    def _run(self, command: Sequence[str]) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.account)
        done = subprocess.run(
            [*self._as_account(), *command], capture_output=True, cwd="/", timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]


class OwnPostgres(OwnServer):
    backend, account, admin = "postgres", "postgres", "postgres://postgres"
    root_database = "postgres"

    @classmethod
    def absence(cls) -> str | None:
        return None if _postgres_bin() else "no initdb found: apt-get install postgresql"

    def prepare(self) -> None:
        data = str(self.folder / "data")
        self._run([_tool("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"])

    def command(self) -> list[str]:
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "shared_buffers": "16MB"}
        options["unix_socket_directories"] = ""
        given = [f"--{name}={value}" for name, value in options.items()]
        return [_tool("postgres"), "-D", str(self.folder / "data"), *given]


class OwnMariadb(OwnServer):
    backend, account, admin = "mysql", "mysql", "mysql://root"
    root_database = "mysql"

    @classmethod
    def absence(cls) -> str | None:
        return None if _mariadbd() else "no mariadbd found: apt-get install mariadb-server"

    def prepare(self) -> None:
        install = shutil.which("mariadb-install-db") or "mariadb-install-db"
        how = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        self._run([install, "--no-defaults", f"--datadir={self.folder / 'data'}", *how])

    def command(self) -> list[str]:
        options = {
            "datadir": self.folder / "data",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "socket": self.folder / "server.sock",
            "pid-file": self.folder / "server.pid",
            "innodb-buffer-pool-size": "32M",
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        return [_mariadbd(), "--no-defaults", *given]


SERVERS: dict[str, type[OwnServer]] = {"postgres": OwnPostgres, "mysql": OwnMariadb}


@asynccontextmanager
async def own_server(backend: str) -> AsyncIterator[OwnServer]:
    """A running server with an empty database ``arcana``."""
    kind = SERVERS[backend]
    if absence := kind.absence():
        pytest.skip(absence)
    server = kind()
    try:
        await asyncio.to_thread(server.prepare)
        await server.start()
        await server.execute("CREATE DATABASE arcana")
        yield server
    finally:
        server.remove()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _postgres_bin() -> Path | None:
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def _tool(name: str) -> str:
    return str((_postgres_bin() or Path()) / name)


def _mariadbd() -> str:
    found = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    return found or ""
