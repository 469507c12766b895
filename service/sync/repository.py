"""Named queries of directory sync."""

from collections.abc import Sequence
from uuid import UUID

from tortoise.functions import Count

from service.events.models import Delivery, DeliveryState, SinkProgress
from service.users.facts import UserFacts
from service.users.models import SyncStatus, User

CHUNK = 500
"""Ids in one query."""


class SyncRepository:
    """Users as directories see them, and how far each directory is."""

    async def now(self, user_id: UUID) -> UserFacts | None:
        """The user as the database has it, past every cache."""
        return UserFacts.of(await User.filter(id=user_id).values(*UserFacts.COLUMNS))

    async def mark_synced(self, user_id: UUID, version: int) -> None:
        """Note that every directory has this version, if it still is the newest."""
        await User.filter(id=user_id, version=version).update(sync_status=SyncStatus.SYNCED)

    async def mark_failed(self, user_id: UUID) -> None:
        """Note that a directory was not told, unless somebody has been told of all meanwhile."""
        waiting = User.filter(id=user_id, sync_status=SyncStatus.PENDING)
        await waiting.update(sync_status=SyncStatus.FAILED)

    async def mark_pending(self, user_id: UUID) -> None:
        await User.filter(id=user_id).update(sync_status=SyncStatus.PENDING)

    async def was_told(self, sink: str, lane: str, position: int) -> bool:
        """Whether a sink took everything of a lane up to ``position``."""
        if not await SinkProgress.filter(name=sink, position__gte=position).exists():
            return False
        left = Delivery.filter(sink=sink, lane=lane, position__lte=position)
        return not await left.exists()

    async def forget_dead(self, sink: str, lane: str) -> None:
        """Drop what was given up of a lane: a newer state has been taken."""
        await Delivery.filter(sink=sink, lane=lane, state=DeliveryState.DEAD).delete()

    async def given_up_deletions(self, sinks: Sequence[str]) -> int:
        """Of how many users that are gone one of ``sinks`` was given up."""
        dead = Delivery.filter(sink__in=sinks, state=DeliveryState.DEAD)
        lanes = list(await dead.distinct().values_list("lane", flat=True))
        gone = 0
        for at in range(0, len(lanes), CHUNK):
            some = [UUID(str(lane)) for lane in lanes[at : at + CHUNK]]
            gone += len(some) - await User.filter(id__in=some).count()
        return gone

    async def counts(self) -> dict[str, int]:
        """How many users there are by status."""
        rows = await User.annotate(n=Count("id")).group_by("sync_status").values("sync_status", "n")
        found = {str(row["sync_status"]): int(row["n"]) for row in rows}
        return {status.value: found.get(status.value, 0) for status in SyncStatus}

    async def failed(self, size: int) -> Sequence[UUID]:
        """The first users by id that a directory was not told of."""
        rows = User.filter(sync_status=SyncStatus.FAILED).order_by("id").limit(size)
        return [UUID(str(id_)) for id_ in await rows.values_list("id", flat=True)]
