"""The rules about directories: how they stand, and what is pushed again."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from service.core.access import Actor, Inside, allow
from service.core.events import Event, Publisher
from service.core.ids import canonical
from service.core.ports import Transactions
from service.events.repository import Backlog, EventRepository
from service.sync.repository import SyncRepository
from service.sync.sink import SYNC_REQUESTED
from service.users.errors import UserNotFound
from service.users.events import subject_of

SHOWN = 100
"""Users that are listed, and that are retried in one transaction."""


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Users by status, what each directory has yet to be told, and the first that failed."""

    counts: dict[str, int]
    targets: Sequence[Backlog]
    failed: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Retried:
    """How many users are pushed again, and how many deletions."""

    users: int
    deletions: int


class DirectoryService:
    """What the command line asks of directory sync."""

    def __init__(
        self,
        rows: SyncRepository,
        events: EventRepository,
        publisher: Publisher,
        transactions: Transactions,
        sinks: Sequence[str],
    ) -> None:
        """``sinks`` are the names that directories have in the outbox."""
        self._rows, self._events, self._publisher = rows, events, publisher
        self._begin, self._sinks = transactions, sinks

    @allow(Inside())
    async def status(self, actor: Actor) -> SyncStatus:
        targets = [each for each in await self._events.backlog() if each.sink in self._sinks]
        return SyncStatus(await self._rows.counts(), targets, await self._rows.failed(SHOWN))

    @allow(Inside())
    async def retry(self, actor: Actor, user_id: str) -> None:
        """Have a user pushed to every directory again.

        Raises:
            UserNotFound.
        """
        key = canonical(user_id)
        user = await self._rows.now(key) if key else None
        if user is None:
            raise UserNotFound
        await self._request([user.id])

    @allow(Inside())
    async def retry_failed(self, actor: Actor) -> Retried:
        """Have every user pushed again that failed, and every deletion that was given up."""
        deletions = await self._rows.given_up_deletions(self._sinks)
        for sink in self._sinks:
            await self._events.retry(sink)
        count = 0
        while some := await self._rows.failed(SHOWN):
            await self._request(some)
            count += len(some)
        return Retried(count, deletions)

    async def _request(self, user_ids: Sequence[UUID]) -> None:
        async with self._begin():
            for user_id in user_ids:
                await self._rows.mark_pending(user_id)
                user = await self._rows.now(user_id)
                if user is not None:
                    data = {"id": str(user_id), "version": user.version}
                    event = Event(SYNC_REQUESTED, subject_of(user_id), data, user_id)
                    await self._publisher.publish(event)
