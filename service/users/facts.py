"""What answers about one user are made of: plain data that may be cached. No hash is among it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from service.users.models import RoleName, UserStatus


@dataclass(frozen=True, slots=True)
class UserFacts:
    """A user as clients see it, with its version; it reads like ``User`` and saves nothing."""

    id: UUID
    email: str
    name: str
    state: str
    email_verified: bool
    role_names: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    version: int

    COLUMNS = (
        *("id", "email", "name", "status", "email_verified", "created_at", "updated_at"),
        *("version", "roles__name"),
    )

    @property
    def status(self) -> UserStatus:
        return UserStatus(self.state)

    @property
    def roles(self) -> list[RoleName]:
        return [RoleName(name) for name in self.role_names]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Self | None:
        """From one statement's rows, one for each role: so the roles fit the version."""
        if not rows:
            return None
        row = rows[0]
        return cls(
            id=UUID(str(row["id"])),
            email=row["email"],
            name=row["name"],
            state=str(row["status"]),
            email_verified=bool(row["email_verified"]),
            role_names=tuple(sorted(row["roles__name"] for row in rows if row["roles__name"])),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            version=row["version"],
        )


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """A profile as its user and admins see it, with the user's version."""

    id: UUID
    version: int
    avatar_url: str | None
    bio: str | None
    phone: str | None
    updated_at: datetime | None

    COLUMNS = (
        *("id", "version", "profile__avatar_url", "profile__bio", "profile__phone"),
        "profile__updated_at",
    )

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Self | None:
        for row in rows:
            return cls(
                id=UUID(str(row["id"])),
                version=row["version"],
                avatar_url=row["profile__avatar_url"],
                bio=row["profile__bio"],
                phone=row["profile__phone"],
                updated_at=row["profile__updated_at"],
            )
        return None
