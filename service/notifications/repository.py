"""Named queries over notifications."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q

from service.core.clock import Clock, utc_now
from service.core.paging import Slice
from service.infra.database.violations import foreign_key_violation, unique_violation
from service.notifications.models import Notification
from service.users.models import User

KEPT_WHEN_READ, KEPT = timedelta(days=90), timedelta(days=365)
"""How long a notification stays once it is made, read or not: the inbox is no archive."""
CLEANED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom something is told, as they are now."""

    name: str
    email: str


class NotificationRepository:
    """The inboxes, and who is behind them."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def recipient(self, user_id: UUID) -> Recipient | None:
        """Whoever has the account; None when it was deleted."""
        rows: Sequence[tuple[str, str]] = await User.filter(id=user_id).values_list("name", "email")
        return Recipient(*rows[0]) if rows else None

    async def add(
        self, user_id: UUID, event_id: UUID, *, kind: str, title: str, body: str, at: datetime
    ) -> bool:
        """Insert a notification; False when it is there already, or its user is gone."""
        try:
            await Notification.create(
                user_id=user_id, event_id=event_id, kind=kind, title=title, body=body, created_at=at
            )
        except IntegrityError as error:
            if unique_violation(error) is None and not foreign_key_violation(error):
                raise
            return False
        return True

    async def page(
        self, user_id: UUID, after: UUID | None, size: int, *, unread: bool
    ) -> Slice[Notification]:
        """The ``size`` notifications before ``after``, the newest first."""
        rows = Notification.filter(user_id=user_id)
        if unread:
            rows = rows.filter(read_at__isnull=True)
        if after is not None:
            rows = rows.filter(id__lt=after)
        found = await rows.order_by("-id").limit(size + 1)
        return Slice(found[:size], None, more=len(found) > size)

    async def count_unread(self, user_id: UUID) -> int:
        return await Notification.filter(user_id=user_id, read_at__isnull=True).count()

    async def mark_read(self, user_id: UUID, notification_id: UUID) -> bool:
        """Note that it was read, the first time; False when there is none."""
        its = Notification.filter(id=notification_id, user_id=user_id)
        changed = await its.filter(read_at__isnull=True).update(read_at=self._clock())
        return bool(changed) or await its.exists()

    async def mark_all_read(self, user_id: UUID) -> None:
        """Note that everything there is now was read."""
        unread = Notification.filter(user_id=user_id, read_at__isnull=True)
        await unread.update(read_at=self._clock())

    async def delete(self, user_id: UUID, notification_id: UUID) -> bool:
        """Delete one; False when there is none."""
        return bool(await Notification.filter(id=notification_id, user_id=user_id).delete())

    async def clean(self) -> bool:
        """Delete a batch of those that are old; whether to go on."""
        now = self._clock()
        read = Q(created_at__lt=now - KEPT_WHEN_READ, read_at__isnull=False)
        old = Notification.filter(read | Q(created_at__lt=now - KEPT))
        ids = await old.order_by("id").limit(CLEANED_AT_ONCE).values_list("id", flat=True)
        if ids:
            await Notification.filter(id__in=list(ids)).delete()
        return len(ids) == CLEANED_AT_ONCE
