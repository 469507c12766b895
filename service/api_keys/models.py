"""The table of personal API keys."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from service.core.clock import utc_now
from service.core.ids import new_id
from service.users.models import User


class ApiKey(Model):
    """A key with which a person's programs sign in as that person, within ``scopes``.

    Only ``hash`` is kept of it, SHA-256 of the whole key: the row makes no key. ``hint`` is the
    beginning that its owner knows it by. ``scopes`` are names parted by spaces (RFC 6749 §3.3).
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "arcana.User", related_name="api_keys", on_delete=fields.CASCADE
    )
    name = fields.CharField(max_length=100)
    hint = fields.CharField(max_length=32)
    hash = fields.CharField(max_length=64)
    scopes = fields.CharField(max_length=512)
    expires_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "api_keys"
        indexes = [Index(fields=("user_id",), name="ix_api_keys_user_id")]

    def __repr__(self) -> str:
        return f"<ApiKey {self.id}>"
