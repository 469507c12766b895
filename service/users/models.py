"""The tables of users, of their profiles, and of the roles they hold."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from service.core.clock import utc_now
from service.core.ids import new_id
from service.roles.models import Role


class UserStatus(StrEnum):
    """Only the active may sign in."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class SyncStatus(StrEnum):
    """Whether the external directories know the row's newest state."""

    SYNCED = "synced"
    PENDING = "pending"
    FAILED = "failed"


class User(Model):
    """A person or machine with an account.

    ``email`` is stored in its one normal form (``core.text.normal_email``) and unique byte for
    byte. ``search`` is the folded name and address. ``token_epoch`` rises whenever access tokens
    given out before must no longer be taken. Without ``password_hash`` nobody can log in.
    ``version`` rises in the very UPDATE of every change of the row, its roles or its profile, and
    is its ETag. ``external_id`` is another system's name for the person; it never leaves.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    email = fields.CharField(max_length=255, unique=True)
    password_hash = fields.CharField(max_length=512, null=True)
    name = fields.CharField(max_length=255)
    search = fields.TextField()
    status = fields.CharEnumField(UserStatus, max_length=16, default=UserStatus.ACTIVE)
    sync_status = fields.CharEnumField(SyncStatus, max_length=16, default=SyncStatus.SYNCED)
    email_verified = fields.BooleanField(default=False)
    token_epoch = fields.IntField(default=0)
    created_at = fields.DatetimeField(default=utc_now)
    updated_at = fields.DatetimeField(default=utc_now)
    version = fields.IntField(default=1)
    external_id = fields.CharField(max_length=255, null=True, unique=True)

    roles: fields.ManyToManyRelation[Role] = fields.ManyToManyField(
        "arcana.Role",
        related_name="users",
        through="user_roles",
        forward_key="role_id",
        backward_key="user_id",
    )
    profile: fields.BackwardOneToOneRelation["UserProfile"]

    class Meta:
        table = "users"
        indexes = [
            Index(fields=("status", "id"), name="ix_users_status_id"),
            Index(fields=("sync_status", "id"), name="ix_users_sync_status_id"),
        ]

    def __repr__(self) -> str:
        return f"<User {self.id}>"

    def has_role(self, name: str) -> bool:
        """Whether the user holds the role; ``roles`` must have been fetched."""
        return any(role.name == name for role in self.roles)


class UserProfile(Model):
    """What a user tells about themselves; one row a user, gone with it."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "arcana.User", related_name="profile", on_delete=fields.CASCADE
    )
    avatar_url = fields.CharField(max_length=500, null=True)
    bio = fields.CharField(max_length=1000, null=True)
    phone = fields.CharField(max_length=20, null=True)
    created_at = fields.DatetimeField(default=utc_now)
    updated_at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "user_profiles"

    def __repr__(self) -> str:
        return f"<UserProfile of {self.user_id}>"  # type: ignore[attr-defined]  # made by the relation


@dataclass(frozen=True, slots=True)
class RoleName:
    """A role as a listed user holds it."""

    name: str


@dataclass(slots=True)
class ListedUser:
    """What lists show of a user; it reads like ``User`` with its roles fetched, and saves nothing.

    A list of 20 takes a quarter of the time that models take.
    """

    id: UUID
    email: str
    name: str
    status: UserStatus
    email_verified: bool
    created_at: datetime
    updated_at: datetime
    version: int
    roles: list[RoleName] = field(default_factory=list)
