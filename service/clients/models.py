"""The table of client secrets."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from service.core.clock import utc_now
from service.core.ids import new_id
from service.users.models import User


class ClientSecret(Model):
    """One of at most two secrets with which a service account logs in (RFC 6749 §4.4).

    Only ``hash`` is kept of it, SHA-256 of the whole secret: the row makes no secret. ``hint`` is
    the beginning that people tell it by.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "arcana.User", related_name="client_secrets", on_delete=fields.CASCADE
    )
    hint = fields.CharField(max_length=32)
    hash = fields.CharField(max_length=64)
    expires_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "client_secrets"
        indexes = [Index(fields=("user_id",), name="ix_client_secrets_user_id")]

    def __repr__(self) -> str:
        return f"<ClientSecret {self.id}>"
