"""What is known of an API key that is presented: plain data that may be kept for a while."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.users.models import UserStatus


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key and its owner as they were read; ``roles`` are the owner's."""

    id: UUID
    user_id: UUID
    hash: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    status: UserStatus
    roles: frozenset[str]

    COLUMNS = (
        *("id", "user_id", "hash", "scopes", "created_at", "expires_at"),
        *("user__status", "user__roles__name"),
    )

    def counts(self, now: datetime) -> bool:
        """Whether it may be used: not expired, its owner active."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return self.status is UserStatus.ACTIVE and not is_over

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> "KnownKey":
        """From one statement's rows, one for each role."""
        row = rows[0]
        return cls(
            id=UUID(str(row["id"])),
            user_id=UUID(str(row["user_id"])),
            hash=row["hash"],
            scopes=frozenset(row["scopes"].split()),
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            status=UserStatus(row["user__status"]),
            roles=frozenset(r["user__roles__name"] for r in rows if r["user__roles__name"]),
        )
