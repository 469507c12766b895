"""The REST routes of notifications."""

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.notifications.errors import NotificationNotFound
from service.notifications.schemas import ListNotifications, NotificationList
from service.notifications.service import NotificationService
from service.transport.http.answers import no_content, reply
from service.transport.http.bodies import query
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request
from service.transport.http.routes import API, READ, route
from service.users.errors import UserNotFound


def notifications_blueprint(notifications: NotificationService, guard: Guard) -> Blueprint:
    """Every route of notifications."""
    blueprint = Blueprint("notifications", API)
    _add_list(blueprint, notifications, guard)
    _add_all(blueprint, notifications, guard)
    _add_one(blueprint, notifications, guard)
    return blueprint


def _add_list(blueprint: Blueprint, notifications: NotificationService, guard: Guard) -> None:
    @route(blueprint, READ, "/users/<user_id>/notifications")
    @operation(
        "listNotifications",
        "Read a user's inbox, newest first, with the number of unread ones",
        NotificationService.list,
        query=ListNotifications,
        view=NotificationList,
        refusals=(UserNotFound,),
    )
    async def list_notifications(request: Request, user_id: str) -> HTTPResponse:
        return reply(await notifications.list(await guard.actor(request), user_id, query(request)))


def _add_all(blueprint: Blueprint, notifications: NotificationService, guard: Guard) -> None:
    @route(blueprint, ["PUT"], "/users/<user_id>/notifications/read")
    @operation(
        "markAllRead",
        "Note that all there is up to now was read",
        NotificationService.mark_all_read,
        status=204,
    )
    async def mark_all_notifications_read(request: Request, user_id: str) -> HTTPResponse:
        await notifications.mark_all_read(await guard.actor(request), user_id)
        return no_content()


def _add_one(blueprint: Blueprint, notifications: NotificationService, guard: Guard) -> None:
    @route(blueprint, ["PUT"], "/users/<user_id>/notifications/<notification_id>/read")
    @operation(
        "markRead",
        "Note that a notification was read",
        NotificationService.mark_read,
        status=204,
        refusals=(NotificationNotFound,),
    )
    async def mark_notification_read(
        request: Request, user_id: str, notification_id: str
    ) -> HTTPResponse:
        await notifications.mark_read(await guard.actor(request), user_id, notification_id)
        return no_content()

    @route(blueprint, ["DELETE"], "/users/<user_id>/notifications/<notification_id>")
    @operation(
        "deleteNotification",
        "Take a notification out of the inbox for good",
        NotificationService.delete,
        status=204,
        refusals=(NotificationNotFound,),
    )
    async def delete_notification(
        request: Request, user_id: str, notification_id: str
    ) -> HTTPResponse:
        await notifications.delete(await guard.actor(request), user_id, notification_id)
        return no_content()
