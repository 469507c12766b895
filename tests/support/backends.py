"""Which database or Redis a test ran on: demanded, and counted."""

import os
import socket
from collections import Counter
from collections.abc import Generator, Sequence
from functools import cache
from urllib.parse import urlsplit

import pytest

from tests.support import databases

BACKENDS = (*databases.BACKENDS, "redis")
REDIS = "redis://127.0.0.1:6379/0"
PROPERTY = "back ends"


@cache
def why_absent(name: str) -> str | None:
    """Why ``name`` can't be tested on and how to mend it, or None when it can."""
    for database in databases.BACKENDS:
        if name == database:
            return databases.available(database)
    return _why_no_redis() if name == "redis" else None


def _why_no_redis() -> str | None:
    parts = urlsplit(os.environ.get("TEST_REDIS_URL") or REDIS)
    try:
        with socket.create_connection((parts.hostname, parts.port or 6379), timeout=2):
            return None
    except OSError:
        start = "redis-server --save '' --daemonize yes"
        return (
            f"redis does not answer at TEST_REDIS_URL (by default {REDIS}); start one with: {start}"
        )


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
        report.user_properties.append((PROPERTY, names))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count; with workers (``-n``) this is called in the process that prints the summary."""
        names = dict(report.user_properties)[PROPERTY]
        assert isinstance(names, list)
        self._count(report, names)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("tests per back end")
        for name in (*BACKENDS, "none"):
            counts = {
                "passed": self.passed[name],
                "failed": self.failed[name],
                "skipped": self.skipped[name],
            }
            shown = "  ".join(f"{outcome} {count:<5}" for outcome, count in counts.items())
            terminalreporter.write_line(f"{name:<10}{shown}")
            if self.skipped[name] and (absence := why_absent(name)):
                terminalreporter.write_line(f"          {absence}")

    def _count(self, report: pytest.TestReport, names: Sequence[str]) -> None:
        if report.when == "call" and report.passed:
            self.passed.update(names)
        elif report.failed:
            self.failed.update(names)
        elif report.skipped:
            self.skipped.update(names)
