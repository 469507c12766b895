"""Notifications over gRPC."""

from arcana_protos import notification as pb
from betterproto.lib.google.protobuf import Empty

from service.notifications.schemas import NotificationView
from service.notifications.service import NotificationService
from service.transport.rpc.call import actor
from service.transport.rpc.messages import Handlers


class NotificationsRpc(Handlers, pb.NotificationServiceBase):
    """``arcana.notification.NotificationService``."""

    def __init__(self, notifications: NotificationService) -> None:
        self._notifications = notifications

    async def list_notifications(
        self, message: pb.ListNotificationsRequest
    ) -> pb.ListNotificationsResponse:
        wanted = {"size": message.size, "cursor": message.cursor, "unread": message.unread}
        given = {name: value for name, value in wanted.items() if value}
        found = await self._notifications.list(await actor(), message.user_id, given)
        return pb.ListNotificationsResponse(
            notifications=[_to_notification(view) for view in found.data],
            size=found.size,
            next_cursor=found.next_cursor,
            unread=found.unread,
        )

    async def count_unread(self, message: pb.CountUnreadRequest) -> pb.CountUnreadResponse:
        found = await self._notifications.count_unread(await actor(), message.user_id)
        return pb.CountUnreadResponse(unread=found.unread)

    async def mark_read(self, message: pb.MarkReadRequest) -> Empty:
        await self._notifications.mark_read(await actor(), message.user_id, message.notification_id)
        return Empty()

    async def mark_all_read(self, message: pb.MarkAllReadRequest) -> Empty:
        await self._notifications.mark_all_read(await actor(), message.user_id)
        return Empty()

    async def delete_notification(self, message: pb.DeleteNotificationRequest) -> Empty:
        await self._notifications.delete(await actor(), message.user_id, message.notification_id)
        return Empty()


def _to_notification(view: NotificationView) -> pb.NotificationResponse:
    return pb.NotificationResponse(
        id=view.id,
        kind=view.kind,
        title=view.title,
        body=view.body,
        created_at=view.created_at,
        read_at=view.read_at,
    )
