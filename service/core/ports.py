"""What services need of the outside world, as they see it; infra and tests provide it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol
from uuid import UUID


class Work(Protocol):
    """A transaction under way. Repositories used inside take part in it by themselves."""

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run ``action`` once the transaction is committed; never when it is rolled back."""


class Transactions(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[Work]:
        """Begin a transaction; leaving the block commits it, an exception rolls it back."""


class PasswordHasher(Protocol):
    """Slow hashing, off the event loop."""

    async def hash(self, password: str) -> str:
        """Raises: Unavailable, when too many passwords wait already."""

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether ``password`` matches; with no ``encoded`` it costs the same and says False.

        Raises:
            Unavailable: too many passwords wait already.
        """

    def is_outdated(self, encoded: str) -> bool:
        """Whether ``encoded`` was made by another system, or with other parameters than today's."""

    def close(self) -> None:
        """Let go of the threads."""


class Limiter(Protocol):
    """Counts tries of one ``kind`` by one ``subject``."""

    async def hit(self, kind: str, subject: str, *, at_most: int, within: timedelta) -> None:
        """Count a try.

        Raises:
            Limited: it is one too many within the window.
        """

    async def forget(self, kind: str, subject: str) -> None:
        """Start the count of ``subject`` anew."""


class SessionEnder(Protocol):
    async def end_all(self, user_id: UUID, why: str) -> int:
        """End every live session of a user, and say how many there were."""
