"""The roles table, and the table of who holds which."""

from tortoise import fields
from tortoise.models import Model

from service.core.clock import utc_now
from service.core.ids import new_id


class Role(Model):
    """A named set of permissions; the built-in ones are made at the first start."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    name = fields.CharField(max_length=50, unique=True)
    description = fields.CharField(max_length=255, null=True)
    created_at = fields.DatetimeField(default=utc_now)
    updated_at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "roles"

    def __repr__(self) -> str:
        return f"<Role {self.name}>"
