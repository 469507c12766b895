"""Handing people over to another system."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from service.core.access import Actor, Inside, allow
from service.users.bulk import BulkUsers, WholeUser
from service.users.models import UserStatus
from service.users.repository import UserRepository
from service.users.search import Match

BATCH = 1_000


class UserExportService:
    """Reads everybody, a batch at a time, in the form that import takes."""

    def __init__(self, users: UserRepository, bulk: BulkUsers) -> None:
        self._users, self._bulk = users, bulk

    @allow(Inside())
    async def total(self, actor: Actor, status: UserStatus | None = None) -> int:
        """About how many there are to read."""
        return await self._users.total(Match(status))

    @allow(Inside())
    async def batches(
        self, actor: Actor, status: UserStatus | None = None, *, with_hashes: bool = False
    ) -> AsyncIterator[Sequence[dict[str, Any]]]:
        """Everybody of a status in the order of ids. Hashes come only when they are asked for."""
        match, after = Match(status), None
        while people := await self._bulk.after(match, after, BATCH):
            yield [_record(person, with_hashes=with_hashes) for person in people]
            after = people[-1].id


def _record(person: WholeUser, *, with_hashes: bool) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": str(person.id),
        "email": person.email,
        "name": person.name,
        "status": person.status,
        "email_verified": person.email_verified,
        "external_id": person.external_id,
        "roles": sorted(role.name for role in person.roles),
        "profile": person.profile,
        "created_at": _zulu(person.created_at.isoformat()),
        "updated_at": _zulu(person.updated_at.isoformat()),
    }
    if with_hashes:
        record["password_hash"] = person.password_hash
    return {name: value for name, value in record.items() if value not in (None, {})}


def _zulu(text: str) -> str:
    return text.replace("+00:00", "Z")
