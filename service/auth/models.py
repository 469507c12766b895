"""The sessions table."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from service.core.clock import utc_now
from service.core.ids import new_id
from service.users.models import User


class Session(Model):
    """One log-in on one device, from which refresh tokens descend.

    Invariant: at most one refresh token is current, the one numbered ``counter``; its predecessor
    may be replayed shortly after ``rotated_at``; every older one ends the session. ``salt`` goes
    into each token, so the row alone makes none without the service's key, nor the key without
    the row. A session with ``ended_at`` never lives again.

    ``agent`` and ``address`` are the caller's at log-in or the last refresh. ``last_used_at`` is
    true to a minute. ``credential_id`` is the client secret it was begun with; such a session has
    no refresh token.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "arcana.User", related_name="sessions", on_delete=fields.CASCADE
    )
    salt = fields.BinaryField()
    counter = fields.IntField(default=0)
    rotated_at = fields.DatetimeField(default=utc_now)
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    ended_why = fields.CharField(max_length=32, null=True)
    created_at = fields.DatetimeField(default=utc_now)
    updated_at = fields.DatetimeField(default=utc_now)
    agent = fields.CharField(max_length=255, null=True)
    address = fields.CharField(max_length=45, null=True)
    last_used_at = fields.DatetimeField(null=True)
    credential_id = fields.UUIDField(null=True)

    class Meta:
        table = "sessions"
        indexes = [
            Index(fields=("credential_id",), name="ix_sessions_credential_id"),
            Index(fields=("user_id",), name="ix_sessions_user_id"),
            Index(fields=("expires_at",), name="ix_sessions_expires_at"),
        ]

    def __repr__(self) -> str:
        return f"<Session {self.id}>"
