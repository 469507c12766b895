"""make bench-data: a million people into each database, then lists and searches over them.

    python -m tests.bench.data --size 1000000 sqlite postgres mysql
    python -m tests.bench.data --loaded postgres://postgres@127.0.0.1:5432/there_already

For each operation: how long its statements took in the database (p50, p99 of ``RUNS`` runs, warm),
how long the whole repository method took, and what the database read for it. PostgreSQL tells its
own time, rows and pages by EXPLAIN (ANALYZE, BUFFERS); MariaDB its rows by Handler_read%, SQLite
the steps of its virtual machine, and their time runs until the driver has the rows. The process
ends with 1 when a bound is broken.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from service.infra.cache import MemoryCache
from service.infra.database import Database
from service.infra.database.guard import Guarded
from service.infra.database.rows import raw_client
from service.infra.database.sqlite import SqliteClient
from service.infra.totals import Totals
from service.users.lists import UserLists
from service.users.search import Match, rows_of
from tests.bench.people import COMMON, RARE, write
from tests.support.databases import BACKENDS, available, fresh_database

ROOT = Path(__file__).resolve().parents[2]
RUNS, SIZE = 100, 20
LAST_TO_FIRST, WITHOUT_INDEX, OWN_TIME = 1.2, 50.0, 20.0
Statement = tuple[str, list[Any], float]
Operation = Callable[[], Awaitable[object]]


@dataclass
class Result:
    """What one operation took, in milliseconds, and read."""

    name: str
    own: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    read: str = ""

    @property
    def p50(self) -> float:
        return statistics.median(self.own)

    def line(self) -> str:
        own, whole = _p50_p99(self.own), _p50_p99(self.whole)
        return f"  {self.name:<34}{own:>18}{whole:>18}   {self.read}"


class Recorder:
    """Every statement of the task that made it, with its time."""

    def __init__(self, client: Guarded) -> None:
        self.statements: list[Statement] = []
        self._task = asyncio.current_task()
        self._run = client.execute_query
        client.execute_query = self._recorded  # type: ignore[method-assign]  # to listen in

    async def _recorded(self, query: str, values: list[Any] | None = None) -> tuple[int, Any]:
        began = time.perf_counter()
        found = await self._run(query, values)
        if asyncio.current_task() is self._task:  # totals are counted again by another one
            self.statements.append((query, list(values or ()), time.perf_counter() - began))
        return found


class Bench:
    """The operations, over one database that is loaded already."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lists = UserLists(Totals(MemoryCache()))
        self._recorder = Recorder(database.client)
        self.results: dict[str, Result] = {}

    async def run(self) -> None:
        await self._settle()
        after = (await rows_of("SELECT id FROM users ORDER BY id DESC LIMIT 1 OFFSET ?", [SIZE]))[0]
        last = after["id"]
        email = (await rows_of("SELECT email FROM users WHERE id = ?", [last]))[0]["email"]
        cursor = _uuid(last)
        lists = self._lists
        everybody = Match()
        operations: dict[str, Operation] = {
            "page 1": lambda: lists.after(everybody, None, SIZE),
            "last page by cursor": lambda: lists.after(everybody, cursor, SIZE),
            f"rare part ({RARE.lower()})": lambda: lists.after(Match(term=RARE), None, SIZE),
            f"common part ({COMMON})": lambda: lists.after(Match(term=COMMON), None, SIZE),
            f"common part ({COMMON}), last page": lambda: lists.after(
                Match(term=COMMON), cursor, SIZE
            ),
            "part found nowhere (qqqxyz)": lambda: lists.after(Match(term="qqqxyz"), None, SIZE),
            "two letters (qu)": lambda: lists.after(Match(term="qu"), None, SIZE),
            "exact e-mail": lambda: lists.after(Match(term=email), None, SIZE),
            "page 1 with its total": lambda: lists.page(everybody, 0, SIZE),
            "rare part with its total": lambda: lists.page(Match(term=RARE), 0, SIZE),
        }
        for _ in range(RUNS):  # in turn, so that what else the machine does weighs on all alike
            for name, operation in operations.items():
                await self._time(self.results.setdefault(name, Result(name)), operation)
        for name, operation in operations.items():
            await self._count(self.results[name], operation)
        deep = "page by number, in the middle"
        middle = await lists.total(everybody) // SIZE // 2
        result = self.results[deep] = Result(deep)
        for _ in range(5):
            await self._time(result, lambda: lists.page(everybody, middle, SIZE))
        await self._count(result, lambda: lists.page(everybody, middle, SIZE))

    async def without_index(self) -> float:
        """PostgreSQL's own time, ms, for the rare part when there is no trigram index."""
        self._recorder.statements.clear()
        await self._lists.after(Match(term=RARE), None, SIZE)
        query, values, _ = self._recorder.statements[0]
        times = []
        for _ in range(3):
            async with self._undone():
                await self._database.client.execute_script("DROP INDEX ix_users_search_trgm")
                times.append((await _explained(query, values))[0])
        return statistics.median(times)

    def _undone(self) -> Any:
        return _Undone(self._database)

    async def _time(self, result: Result, operation: Operation) -> None:
        self._recorder.statements.clear()
        began = time.perf_counter()
        await operation()
        result.whole.append((time.perf_counter() - began) * 1000)
        result.own.append(await self._own_time(list(self._recorder.statements)))

    async def _own_time(self, statements: list[Statement]) -> float:
        """PostgreSQL says it itself; of the others it is the time until the driver had the rows."""
        if self._database.dialect != "postgres":
            return sum(took for *_, took in statements) * 1000
        return sum([(await _explained(query, values))[0] for query, values, _ in statements])

    async def _count(self, result: Result, operation: Operation) -> None:
        self._recorder.statements.clear()
        await operation()
        result.read = await self._what_is_read(list(self._recorder.statements))

    async def _what_is_read(self, statements: list[Statement]) -> str:
        if self._database.dialect == "postgres":
            rows = blocks = 0
            for query, values, _ in statements:
                _, seen, touched = await _explained(query, values)
                rows, blocks = rows + seen, blocks + touched
            return f"{rows} rows, {blocks} pages"
        if self._database.dialect == "mysql":
            return f"{await self._handler_reads(statements)} rows (Handler_read)"
        return f"{await self._steps(statements)} VM steps"

    async def _handler_reads(self, statements: list[Statement]) -> int:
        async with self._database.transaction():
            before = await _handler_count()
            for query, values, _ in statements:
                await self._database.client.execute_query(query, values)
            after = await _handler_count()
            return after - before - (await _handler_count() - after)

    async def _steps(self, statements: list[Statement]) -> int:
        steps = 0

        def count(connection: Any) -> None:
            nonlocal steps

            def tick() -> int:
                nonlocal steps
                steps += 10
                return 0

            connection.set_progress_handler(tick, 10)
            for query, values, _ in statements:
                connection.execute(query, values).fetchall()
            connection.set_progress_handler(None, 0)

        await cast(SqliteClient, self._database.client).in_turn(count)
        return steps

    async def _settle(self) -> None:
        """As the database is some time after an import: its own upkeep has run."""
        client = self._database.client
        scripts = {
            "postgres": ["VACUUM (ANALYZE) users", "VACUUM (ANALYZE) user_roles"],
            "mysql": [],
            "sqlite": ["PRAGMA optimize", "PRAGMA wal_checkpoint(TRUNCATE)"],
        }
        for script in scripts[self._database.dialect]:
            await client.execute_query(script)
        if self._database.dialect == "mysql":
            await client.execute_query("ANALYZE TABLE users, user_trigrams, user_roles")


class _Undone:
    """A transaction that is rolled back."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction()

    async def __aenter__(self) -> None:
        await self._transaction.__aenter__()

    async def __aexit__(self, *_: object) -> bool:
        error = RuntimeError("to roll back")
        try:
            await self._transaction.__aexit__(RuntimeError, error, None)
        except RuntimeError as raised:
            if raised is not error:
                raise
        return False


async def _explained(query: str, values: list[Any]) -> tuple[float, int, int]:
    """PostgreSQL's own milliseconds, rows that its scans met, pages that it touched."""
    _, rows = await raw_client().execute_query(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", values
    )
    answer = rows[0][0]
    (answer,) = json.loads(answer) if isinstance(answer, str) else answer
    plan = answer["Plan"]
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return answer["Planning Time"] + answer["Execution Time"], _met(plan), pages


def _met(plan: dict[str, Any]) -> int:
    own = 0
    if plan["Node Type"].endswith("Scan") and plan["Node Type"] != "Subquery Scan":
        removed = plan.get("Rows Removed by Filter", 0) + plan.get(
            "Rows Removed by Index Recheck", 0
        )
        own = (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    return int(own) + sum(_met(part) for part in plan.get("Plans", ()))


async def _handler_count() -> int:
    rows = await rows_of("SHOW SESSION STATUS LIKE 'Handler_read%'", [])
    return sum(int(row["Value"]) for row in rows)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _p50_p99(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{statistics.median(ordered):.2f} / {ordered[-(-len(ordered) * 99 // 100) - 1]:.2f}"


# The import


def load(url: str, file: Path) -> None:
    """Import ``file`` as an operator would, and print what it took."""
    began = time.monotonic()
    environment = {**os.environ, "DATABASE_URL": url, "JWT_SECRET": "a secret of the bench, " * 2}
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "user", "import", str(file)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        )
        assert process.stdout is not None
        said = process.stdout.read().strip()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            raise SystemExit(told.read().decode()[-2000:])
    took = time.monotonic() - began
    print(f"  {said}")
    print(
        f"  import: {took:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} s of its own processor,"
        f" {usage.ru_maxrss / 1024:.0f} MB resident at most",
        flush=True,
    )


# The whole


async def measure(url: str) -> list[str]:
    """Print the table of one database; what is out of bounds is returned."""
    database = Database(url, command_timeout=600)
    await database.connect()
    try:
        bench = Bench(database)
        await bench.run()
        print(f"  {'operation':<34}{'database p50/p99':>18}{'whole p50/p99':>18}   read (once)")
        for result in bench.results.values():
            print(result.line())
        return await _verdict(bench, database.dialect)
    finally:
        await database.close()


async def _verdict(bench: Bench, dialect: str) -> list[str]:
    results, broken = bench.results, []
    ratio = results["last page by cursor"].p50 / results["page 1"].p50
    print(f"  last page / first page: {ratio:.2f} (at most {LAST_TO_FIRST})")
    if ratio > LAST_TO_FIRST:
        broken.append(f"{dialect}: last / first page {ratio:.2f}")
    rare = next(result for name, result in results.items() if name.startswith("rare part ("))
    if dialect == "postgres":
        without = await bench.without_index()
        print(
            f"  rare part without its index: {without:.0f} ms,"
            f" {without / rare.p50:.0f} times as long (at least {WITHOUT_INDEX:.0f})"
        )
        if without / rare.p50 < WITHOUT_INDEX:
            broken.append(f"{dialect}: the index is worth {without / rare.p50:.0f} times")
    for name, result in results.items():
        if result.p50 > OWN_TIME and not name.startswith("page by number"):
            broken.append(f"{dialect}: {name} takes {result.p50:.1f} ms")
    return broken


def main() -> None:
    """Load and measure each database that was named, or all that answer."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--size", type=int, default=int(os.environ.get("SIZE", "1000000")))
    options.add_argument("--loaded", metavar="URL", action="append", default=[])
    options.add_argument("backends", nargs="*", choices=[*BACKENDS, []])
    given = options.parse_args()
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores,"
        f" {platform.machine()}, Python {platform.python_version()}"
    )
    broken: list[str] = []
    for url in given.loaded:
        print(url.partition("://")[0])
        broken += asyncio.run(measure(url))
    if not given.loaded:
        broken += _everywhere(given.backends or list(BACKENDS), given.size)
    for line in broken:
        print(f"OUT OF BOUNDS: {line}")
    raise SystemExit(1 if broken else 0)


def _everywhere(backends: list[Any], size: int) -> list[str]:
    broken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="arcana-bench-") as folder:
        file = Path(folder) / "people.ndjson"
        write(size, file)
        for backend in backends:
            if why := available(backend):
                print(f"{backend}: left out, {why}")
                continue
            with fresh_database(backend) as url:
                print(f"{backend}, {size:,} people", flush=True)
                load(url, file)
                broken += asyncio.run(measure(url))
    return broken


if __name__ == "__main__":
    main()
