"""Which database or Redis a test ran on: chosen, demanded, counted."""

import os
import socket
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import pytest

DATABASES = ("sqlite", "postgres", "mysql")
BACKENDS = (*DATABASES, "redis")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that tests talk to: where it is, unless ``setting`` says otherwise."""

    setting: str
    url: str
    start: str

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(os.environ.get(self.setting) or self.url)
        return parts.hostname or "127.0.0.1", parts.port or urlsplit(self.url).port or 0


SERVERS = {
    "postgres": Server(
        "TEST_POSTGRES_URL",
        "postgres://postgres@127.0.0.1:5432/postgres",
        "apt-get install postgresql; pg_ctlcluster 15 main start",
    ),
    "mysql": Server(
        "TEST_MYSQL_URL",
        "mysql://root@127.0.0.1:3306/mysql",
        "apt-get install mariadb-server; mariadbd-safe &",
    ),
    "redis": Server(
        "TEST_REDIS_URL",
        "redis://127.0.0.1:6379/0",
        "apt-get install redis-server; redis-server --save '' --daemonize yes",
    ),
}


@cache
def why_absent(name: str) -> str | None:
    """Why ``name`` can't be tested on and how to mend it, or None when it can."""
    server = SERVERS.get(name)
    if server is None:
        return None
    try:
        with socket.create_connection(server.address, timeout=2):
            return None
    except OSError as error:
        return f"no {name} there ({error.strerror or type(error).__name__}); {how_to_start(name)}"


def how_to_start(name: str) -> str:
    return f"start one with: {SERVERS[name].start}; or set {SERVERS[name].setting}"


def all_required() -> bool:
    """Whether a back end that is not there is a failure, as it is in CI, and not a skip."""
    return bool(os.environ.get("CI") or os.environ.get("ARCANA_REQUIRE_BACKENDS"))


def backends_of(item: pytest.Item) -> list[str]:
    """The back ends a test names: in a parameter, a ``backend`` marker or its module's name."""
    parameters = getattr(item, "callspec", None)
    named = (
        [value for value in parameters.params.values() if value in BACKENDS] if parameters else []
    )
    named += [name for marker in item.iter_markers("backend") for name in marker.args]
    named += [name for name in item.path.stem.split("_") if name in BACKENDS]
    return sorted(set(named)) or ["none"]


class Tally:
    """A pytest plugin: counts outcomes per back end; a skip that CI forbids becomes a failure."""

    def __init__(self) -> None:
        self.passed = Counter[str]()
        self.failed = Counter[str]()
        self.skipped = Counter[str]()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        names = backends_of(item)
        if report.skipped and not hasattr(report, "wasxfail") and all_required():
            absent = [name for name in names if why_absent(name)]
            if absent:
                report.outcome = "failed"
                report.longrepr = f"required here, and {why_absent(absent[0])}"
        self._count(report, names)
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("tests per back end")
        for name in (*BACKENDS, "none"):
            counts = f"{self.passed[name]} passed, {self.failed[name]} failed"
            if self.skipped[name]:
                counts += f", {self.skipped[name]} skipped"
            if name in SERVERS and self.skipped[name] and why_absent(name):
                counts += f" ({how_to_start(name)})"
            terminalreporter.write_line(f"{name:>8}: {counts}")

    def _count(self, report: pytest.TestReport, names: list[str]) -> None:
        if report.when == "call" and report.passed:
            self.passed.update(names)
        elif report.failed:
            self.failed.update(names)
        elif report.skipped:
            self.skipped.update(names)
