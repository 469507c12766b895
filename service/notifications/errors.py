"""What can be refused about notifications."""

from service.core.errors import Kind, Refusal


class NotificationNotFound(Refusal):
    kind, code = Kind.NOT_FOUND, "notification_not_found"
    message = "Notification not found."
