"""The sinks of the outbox that push users to directories."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from service.core.directories import Directory
from service.core.events import SCHEDULE, Told
from service.sync.repository import SyncRepository
from service.users.events import DELETED
from service.users.schemas import UserView

SYNC_REQUESTED = "user.sync_requested"
"""Somebody wants a user pushed again; told to directories alone."""
REMEMBERED = 10_000
"""Users of whom each directory's version is remembered; of others the database is asked."""


class Push(Protocol):
    """Tells one directory, as ``sync.client.DirectoryClient`` does."""

    async def push(self, user: UserView, event_id: str) -> None:
        """Raises: SinkRefused."""

    async def forget(self, user_id: str, version: int, event_id: str) -> None:
        """Raises: SinkRefused."""

    def close(self) -> None:
        """Let go of the connection; a push opens another."""


class Pushed:
    """Which version of a user each directory has, as far as this process knows."""

    def __init__(self) -> None:
        self._versions: OrderedDict[tuple[str, UUID], int] = OrderedDict()

    def note(self, sink: str, user_id: UUID, version: int) -> None:
        self._versions[sink, user_id] = max(version, self.of(sink, user_id))
        self._versions.move_to_end((sink, user_id))
        while len(self._versions) > REMEMBERED:
            self._versions.popitem(last=False)

    def of(self, sink: str, user_id: UUID) -> int:
        return self._versions.get((sink, user_id), 0)


class DirectorySink:
    """Pushes the newest state of each user to one directory; ``all`` names those of all.

    What is pushed is the user as it is in the database, so one push may settle several events;
    the later of them push nothing.
    """

    def __init__(
        self,
        directory: Directory,
        push: Push,
        rows: SyncRepository,
        pushed: Pushed,
        everybody: Sequence[str],
        *,
        schedule: Sequence[timedelta] = SCHEDULE,
    ) -> None:
        self.name, self.at_once, self.schedule = directory.sink, 8, schedule
        self._push, self._rows, self._pushed, self._all = push, rows, pushed, everybody

    def wants(self, told: Told) -> bool:
        return told.user_id is not None and told.type.startswith("user.")

    async def take(self, told: Told) -> None:
        """Raises: SinkRefused."""
        assert told.user_id is not None
        user, event_id = await self._rows.now(told.user_id), str(told.id)
        said = int(told.facts()["version"])
        if user is None:
            if told.type == DELETED:  # what came before it is settled by it
                await self._push.forget(str(told.user_id), said, event_id)
                await self._rows.forget_dead(self.name, told.lane)
            return
        if told.type == SYNC_REQUESTED or self._pushed.of(self.name, user.id) < user.version:
            await self._push.push(UserView.of(user), event_id)
            self._pushed.note(self.name, user.id, user.version)
            await self._rows.forget_dead(self.name, told.lane)
        if await self._all_have(told, user.id, user.version, said):
            await self._rows.mark_synced(user.id, user.version)

    async def close(self) -> None:
        """Let go of the connection, when the relay stops."""
        self._push.close()

    async def gave_up(self, told: Told) -> None:
        """What the courier says of an event that is tried no more."""
        if told.user_id is not None:
            await self._rows.mark_failed(told.user_id)

    async def _all_have(self, told: Told, user_id: UUID, version: int, said: int) -> bool:
        for sink in self._all:
            known = self._pushed.of(sink, user_id) >= version
            if not known and (
                said < version or not await self._rows.was_told(sink, told.lane, told.position)
            ):
                return False
        return True
