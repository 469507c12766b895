"""The table of the in-app inbox."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from service.core.clock import utc_now
from service.core.ids import new_id
from service.users.models import User


class Notification(Model):
    """One thing a person was told, in words; unread until ``read_at``.

    Invariant: of one event (``event_id``) a person is told once, however often it comes.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "arcana.User", related_name="notifications", on_delete=fields.CASCADE
    )
    event_id = fields.UUIDField()
    kind = fields.CharField(max_length=64)
    title = fields.CharField(max_length=255)
    body = fields.CharField(max_length=2000)
    read_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "notifications"
        unique_together = (("user_id", "event_id"),)
        indexes = [Index(fields=("user_id", "read_at", "id"), name="ix_notifications_inbox")]

    def __repr__(self) -> str:
        return f"<Notification {self.id}>"
