"""The unit of work under way, and what waits for its commit."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tortoise.exceptions import TransactionManagementError

log = logging.getLogger("arcana.database")

Action = Callable[[], Awaitable[None]]


class Unit:
    """A transaction as services see it (``core.ports.Work``): one, however deep its blocks nest."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.is_open = True
        self._is_doomed = False

    def after_commit(self, action: Action) -> None:
        """Run ``action`` once the transaction is committed; never when it is rolled back.

        Raises:
            RuntimeError: the transaction has ended.
        """
        if not self.is_open:
            raise RuntimeError("This transaction has ended.")
        self.actions.append(action)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """The outermost block."""
        token = _current.set(self)
        try:
            yield
            if self._is_doomed:
                raise TransactionManagementError("A part of this transaction failed.")
        finally:
            self.is_open = False
            _current.reset(token)

    @contextmanager
    def part(self) -> Iterator[None]:
        """A block within it."""
        try:
            yield
        except BaseException:
            self._is_doomed = True
            raise

    async def run_actions(self) -> None:
        """Run what waited, in order; one that fails is logged and undoes nothing."""
        for action in self.actions:
            try:
                await action()
            except Exception as error:  # noqa: BLE001  # the commit stands whatever it was
                log.error("an action after a commit failed: %s", type(error).__name__)


_current: ContextVar[Unit | None] = ContextVar("arcana_work", default=None)


def under_way() -> Unit | None:
    """The transaction this task is in; a task that outlived its parent's is in none."""
    unit = _current.get()
    return unit if unit is not None and unit.is_open else None
