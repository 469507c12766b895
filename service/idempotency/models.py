"""The table of idempotency keys."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class IdempotencyKey(Model):
    """A creation asked for under a key, and its answer once there is one.

    Invariant: the row is committed with what it tells of, so the key of a creation that failed or
    crashed is free again. Nothing readable of the caller, the key or the command is kept: each is
    a keyed hash. ``answer`` is the service's view as JSON, the same for every door.
    """

    key_hash = fields.CharField(max_length=64, primary_key=True)
    operation = fields.CharField(max_length=64)
    command_hash = fields.CharField(max_length=64)
    answer = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "idempotency_keys"
        indexes = [Index(fields=("expires_at",), name="ix_idempotency_keys_expires_at")]

    def __repr__(self) -> str:
        return f"<IdempotencyKey {self.operation}>"
