"""The table of the change feed."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from service.core.clock import utc_now


class Change(Model):
    """One write to a user, its roles, its profile or its sessions.

    Invariant: it is inserted in the transaction of the write it tells of, so there is never one
    without the other. ``user_id`` points to nothing: the row outlives its user. Ids rise in the
    order of inserts, not of commits, so whoever reads the feed looks back a little.
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    user_id = fields.UUIDField()
    kind = fields.CharField(max_length=32)
    at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "changes"
        indexes = [Index(fields=("at",), name="ix_changes_at")]

    def __repr__(self) -> str:
        return f"<Change {self.id}>"
