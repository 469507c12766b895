"""The rules about notifications."""

from uuid import UUID

from service.core.access import ADMIN, SYSTEM, Actor, Role, Self, allow
from service.core.ids import canonical
from service.core.paging import Cursors
from service.core.parsing import Raw, parse
from service.core.scopes import NOTIFICATIONS_READ, NOTIFICATIONS_WRITE
from service.notifications.errors import NotificationNotFound
from service.notifications.repository import NotificationRepository
from service.notifications.schemas import (
    ListNotifications,
    NotificationList,
    NotificationView,
    Unread,
)
from service.users.service import UserService


class NotificationService:
    """The rules about inboxes. ``actor`` is who asks; every method states who may.

    Admins see what somebody was told; whether it was read is for that person alone to say.
    """

    def __init__(
        self, notifications: NotificationRepository, users: UserService, cursors: Cursors
    ) -> None:
        self._notifications, self._users, self._cursors = notifications, users, cursors

    @allow(Self("user_id"), Role(ADMIN), scope=NOTIFICATIONS_READ)
    async def list(self, actor: Actor, user_id: str, raw: Raw) -> NotificationList:
        """A part of a user's inbox, the newest first, and how many are unread of all.

        Raises:
            Invalid, UserNotFound.
        """
        query = parse(ListNotifications, raw)
        after = self._cursors.open(query.cursor) if query.cursor is not None else None
        owner = await self._owner(user_id)
        found = await self._notifications.page(owner, after, query.size, unread=query.unread)
        return NotificationList(
            data=[NotificationView.of(row) for row in found.rows],
            size=query.size,
            next_cursor=self._cursors.seal(found.rows[-1].id) if found.more else None,
            unread=await self._notifications.count_unread(owner),
        )

    @allow(Self("user_id"), Role(ADMIN), scope=NOTIFICATIONS_READ)
    async def count_unread(self, actor: Actor, user_id: str) -> Unread:
        """How many of a user's notifications are unread.

        Raises:
            UserNotFound.
        """
        owner = await self._owner(user_id)
        return Unread(unread=await self._notifications.count_unread(owner))

    @allow(Self("user_id"), scope=NOTIFICATIONS_WRITE)
    async def mark_read(self, actor: Actor, user_id: str, notification_id: str) -> None:
        """Note that a notification was read; when it was first is kept.

        Raises:
            NotificationNotFound.
        """
        wanted = canonical(notification_id)
        if wanted is None or not await self._notifications.mark_read(UUID(user_id), wanted):
            raise NotificationNotFound

    @allow(Self("user_id"), scope=NOTIFICATIONS_WRITE)
    async def mark_all_read(self, actor: Actor, user_id: str) -> None:
        """Note that all there is up to now was read."""
        await self._notifications.mark_all_read(UUID(user_id))

    @allow(Self("user_id"), scope=NOTIFICATIONS_WRITE)
    async def delete(self, actor: Actor, user_id: str, notification_id: str) -> None:
        """Take a notification out of the inbox for good.

        Raises:
            NotificationNotFound.
        """
        wanted = canonical(notification_id)
        if wanted is None or not await self._notifications.delete(UUID(user_id), wanted):
            raise NotificationNotFound

    async def _owner(self, user_id: str) -> UUID:
        """Raises: UserNotFound."""
        return UUID((await self._users.get(SYSTEM, user_id)).id)
