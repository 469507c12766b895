"""What services need of the outside world, as they see it; infra and tests provide it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
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


class DutyLost(Exception):
    """Another process may have the duty by now: nothing may be done in its name."""


class Duty(Protocol):
    """What one process of all does at a time."""

    @property
    def ttl(self) -> timedelta:
        """How long after its last renewal nobody else gets it."""

    async def take(self, name: str) -> bool:
        """Take or renew a duty; whether it is ours for ``ttl``. Raises: Unavailable."""

    async def confirm(self, name: str) -> None:
        """Renew it in the transaction under way. Raises: DutyLost, Unavailable."""

    async def give_back(self, name: str) -> None:
        """Let the next one have it at once. Raises: Unavailable."""


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


class CredentialSessions(Protocol):
    async def end_begun_with(self, user_id: UUID, credential_id: UUID, why: str) -> int:
        """End every live session that was begun with a credential, and say how many there were."""


class SessionEnder(Protocol):
    async def end_all(self, user_id: UUID, why: str, *, besides: UUID | None = None) -> int:
        """End every live session of a user but ``besides``, and say how many there were."""


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a receiver said. ``retry_after`` is how long it wants to be left alone."""

    status: int
    retry_after: timedelta | None = None

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


class HookFailed(Exception):
    """A receiver gave no answer. ``reason`` is shown, so it holds no address and no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HookSender(Protocol):
    """Sends what others are told to the addresses that they gave."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> HookAnswer:
        """Raises: HookFailed."""
