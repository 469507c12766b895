"""What our engines share: a deadline on every command, and errors that hold nobody's data."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, ParamSpec, TypeVar

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError

from service.core import tracing
from service.core.errors import Refusal, Unavailable
from service.core.metrics import DATABASE_COMMANDS
from service.infra.database.watch import Watch

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("arcana.database")
_silent = logging.Logger("arcana.sql", level=logging.CRITICAL)  # noqa: LOG001  # nobody's child
"""Takes the statements and parameters that Tortoise would log; no configuration can wake it."""


IN_DOUBT = (
    "The database did not confirm this change, so it may or may not have been made."
    " Look whether it was before you try again."
)


_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+[\"`]?([a-z_]{1,64})\b", re.IGNORECASE)


class Load(NamedTuple):
    """Connections that may be open, those that are in use, and commands that wait for one."""

    size: int = 0
    in_use: int = 0
    waiting: int = 0


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, is too slow, or gave this transaction up.

    ``reason`` is the driver's name for it, fit for an operator's eyes. ``lost`` says that the
    connection broke, ``undone`` that the command surely did nothing.
    """

    def __init__(self, reason: str, *, lost: bool = False, undone: bool = False) -> None:
        self.reason, self.lost, self.undone = reason, lost, undone
        super().__init__()

    def of_a_write(self) -> None:
        """Tell the caller that a change may have been made, unless it surely was not."""
        if not self.undone:
            self.text = IN_DOUBT


class Guarded(BaseDBAsyncClient):
    """A Tortoise client whose every command ends in time, and fails in our own words.

    Drivers put SQL and its parameters into their messages, e-mail addresses among them, so no
    message of theirs goes further than here. Where a command ends in ``DatabaseUnavailable`` or
    in a cancellation, whether it was done is not known.
    """

    command_timeout: float
    is_open = True
    watch: Watch | None = None
    """Knows whether the server answers; an embedded database has none."""

    def __init__(self, *, command_timeout: float = 10.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.command_timeout = command_timeout
        self.log = _silent

    @property
    def load(self) -> Load:
        """How busy it is."""
        return Load()

    def translate(self, error: Exception) -> Exception:
        """What a driver's error is called here, without what it says."""
        raise NotImplementedError

    async def guard(
        self, command: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``command`` within the time allowed.

        Raises:
            DatabaseUnavailable: no answer, or none in time.
            IntegrityError: a rule of the schema forbids it; its argument is a ``Violation``.
            OperationalError: anything else, a bug.
        """
        self._check_open()
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self.command_timeout):
                answer = await command(*args, **kwargs)
        except (Refusal, TransactionManagementError):
            raise
        except Exception as error:  # noqa: BLE001  # drivers raise all kinds
            failure = self._named(error)
        else:
            DATABASE_COMMANDS.observe(time.perf_counter() - began, "ok")
            if self.watch is not None:
                self.watch.seen()
            return answer
        DATABASE_COMMANDS.observe(time.perf_counter() - began, _outcome(failure))
        # Raised here and not above, so that the driver's error is not even its context.
        raise failure

    async def attempt(
        self, query: str, command: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Guard a command that commits by itself; a read that lost its connection is run again.

        A write is not: whether it was done is not known, and the error says so.
        """
        reads = is_read(query)
        with span_of(query):
            try:
                return await self.guard(command, *args, **kwargs)
            except DatabaseUnavailable as failure:
                if not reads:
                    failure.of_a_write()
                if not (reads and failure.lost):
                    raise
            return await self.guard(command, *args, **kwargs)

    def _check_open(self) -> None:
        if not self.is_open:
            raise DatabaseUnavailable("closed", undone=True)
        if self.watch is not None and self.watch.is_away:
            raise DatabaseUnavailable("away", undone=True)

    def _named(self, error: Exception) -> Exception:
        cause = error
        if isinstance(error, OperationalError):
            if not (error.args and isinstance(error.args[0], Exception)):
                return error  # named already
            cause = error.args[0]
        failure = self.translate(cause)
        if isinstance(failure, DatabaseUnavailable):
            log.warning("database unavailable: %s", failure.reason)
            self._report(failure)
        return failure

    def _report(self, failure: DatabaseUnavailable) -> None:
        if self.watch is None:
            return
        if failure.lost:
            self.watch.lost()
        elif not failure.undone:
            self.watch.suspect()

    def bind(self, value: Any) -> Any:
        """A parameter as the driver should see it: instants in UTC, whatever zone they came in.

        MariaDB's driver drops the zone, and SQLite compares instants as text.
        """
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        return value

    def bound(self, values: Iterable[Any] | None) -> list[Any]:
        return [self.bind(value) for value in values or ()]

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        return await self.attempt(query, super().execute_insert, query, self.bound(values))

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        rows = [self.bound(row) for row in values]
        await self.attempt(query, super().execute_many, query, rows)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Any]:
        bound = self.bound(values) or None
        return await self.attempt(query, super().execute_query, query, bound)

    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        bound = self.bound(values) or None
        return await self.attempt(query, super().execute_query_dict, query, bound)

    async def execute_script(self, query: str) -> None:
        await self.attempt(query, super().execute_script, query)


def is_read(query: str) -> bool:
    """Whether a statement of ours only reads. ``WITH`` may write, so it does not count."""
    return query.lstrip()[:6].upper() == "SELECT"


def span_of(query: str) -> AbstractContextManager[None]:
    """The span of a statement: what it does to which table, and nothing else of it."""
    if not tracing.is_traced():
        return tracing.step("database", "")
    return tracing.step("database", *_summary(query))


@lru_cache(maxsize=512)
def _summary(query: str) -> tuple[str, str]:
    table = _TABLE.search(query)
    return query.split(None, 1)[0].upper()[:16], table[1] if table else ""


def _outcome(failure: Exception) -> str:
    if isinstance(failure, DatabaseUnavailable):
        return "unavailable"
    return "violation" if isinstance(failure, IntegrityError) else "bug"


def bug(error: Exception, said: str = "") -> OperationalError:
    """An error that is nobody's input but ours; ``said`` must be free of parameters."""
    name = type(error).__name__
    return OperationalError(f"{name}: {said}" if said else name)
