"""What our engines share: a deadline on every command, and errors that hold nobody's data."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import OperationalError, TransactionManagementError

from service.core.errors import Refusal, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("arcana.database")
_silent = logging.Logger("arcana.sql", level=logging.CRITICAL)  # noqa: LOG001  # nobody's child
"""Takes the statements and parameters that Tortoise would log; no configuration can wake it."""


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, is too slow, or gave this transaction up.

    ``reason`` is the driver's name for it, fit for an operator's eyes.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class Guarded(BaseDBAsyncClient):
    """A Tortoise client whose every command ends in time, and fails in our own words.

    Drivers put SQL and its parameters into their messages, e-mail addresses among them, so no
    message of theirs goes further than here. Where a command ends in ``DatabaseUnavailable`` or
    in a cancellation, whether it was done is not known.
    """

    command_timeout: float
    is_open = True

    def __init__(self, *, command_timeout: float = 10.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.command_timeout = command_timeout
        self.log = _silent

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
        if not self.is_open:
            raise DatabaseUnavailable("closed")
        try:
            async with asyncio.timeout(self.command_timeout):
                return await command(*args, **kwargs)
        except (Refusal, TransactionManagementError):
            raise
        except Exception as error:  # noqa: BLE001  # drivers raise all kinds
            failure = self._named(error)
        # Raised here and not above, so that the driver's error is not even its context.
        raise failure

    def _named(self, error: Exception) -> Exception:
        cause = error
        if isinstance(error, OperationalError):
            if not (error.args and isinstance(error.args[0], Exception)):
                return error  # named already
            cause = error.args[0]
        failure = self.translate(cause)
        if isinstance(failure, DatabaseUnavailable):
            log.warning("database unavailable: %s", failure.reason)
        return failure

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
        return await self.guard(super().execute_insert, query, self.bound(values))

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        rows = [self.bound(row) for row in values]
        await self.guard(super().execute_many, query, rows)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Any]:
        return await self.guard(super().execute_query, query, self.bound(values) or None)

    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        return await self.guard(super().execute_query_dict, query, self.bound(values) or None)

    async def execute_script(self, query: str) -> None:
        await self.guard(super().execute_script, query)


def bug(error: Exception, said: str = "") -> OperationalError:
    """An error that is nobody's input but ours; ``said`` must be free of parameters."""
    name = type(error).__name__
    return OperationalError(f"{name}: {said}" if said else name)
