"""Queries of import and export: many people at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.infra.changes import ChangeFeed
from service.infra.database.rows import raw_client
from service.users.lists import add_roles, as_instant, as_uuid
from service.users.models import RoleName, User
from service.users.search import Match, plan_of, rows_of

_COLUMNS = (
    "u.id AS id, u.external_id AS external_id, u.email AS email, u.name AS name,"
    " u.status AS status, u.email_verified AS email_verified, u.password_hash AS password_hash,"
    " u.created_at AS created_at, u.updated_at AS updated_at,"
    " p.avatar_url AS avatar_url, p.bio AS bio, p.phone AS phone"
)


@dataclass(frozen=True, slots=True)
class Known:
    """Who is there already."""

    id: UUID
    email: str
    external_id: str | None


@dataclass(slots=True)
class WholeUser:
    """All that an export may tell of a person."""

    id: UUID
    external_id: str | None
    email: str
    name: str
    status: str
    email_verified: bool
    password_hash: str | None
    created_at: datetime
    updated_at: datetime
    profile: dict[str, str | None]
    roles: list[RoleName]


class BulkUsers:
    """Many people read or completed at once."""

    def __init__(self, changes: ChangeFeed) -> None:
        self._changes = changes

    async def known(self, emails: Sequence[str], external_ids: Sequence[str]) -> list[Known]:
        """Who has one of these addresses or ids of another system."""
        rows = [*await _among("email", emails), *await _among("external_id", external_ids)]
        people = (Known(as_uuid(row["id"]), row["email"], row["external_id"]) for row in rows)
        return list({known.id: known for known in people}.values())

    async def adopt(
        self, user_id: UUID, external_id: str | None, password_hash: str | None
    ) -> None:
        """Note another system's id, and its password hash if there is none yet."""
        if external_id:
            await User.filter(id=user_id).update(external_id=external_id)
        if password_hash:
            await User.filter(id=user_id, password_hash=None).update(password_hash=password_hash)
        if external_id or password_hash:
            await self._changes.append(user_id, "user")

    async def after(self, match: Match, after: UUID | None, size: int) -> list[WholeUser]:
        """The ``size`` people that follow ``after``, in the order of ids."""
        plan = await plan_of(match)
        if after is not None:
            plan.after(after, raw_client().capabilities.dialect)
        query = (
            f"SELECT {_COLUMNS} FROM ({plan.ids()} ORDER BY {plan.key} LIMIT ?) k"  # noqa: S608
            " JOIN users u ON u.id = k.id LEFT JOIN user_profiles p ON p.user_id = u.id"
            " ORDER BY u.id"
        )
        people = [_whole(row) for row in await rows_of(query, [*plan.values, size])]
        await add_roles({person.id: person.roles for person in people})
        return people

    async def prepare(self) -> None:
        """Give SQLite 64 MB for pages: rows go in all over its indexes. The others are set up."""
        if raw_client().capabilities.dialect == "sqlite":
            await raw_client().execute_query("PRAGMA cache_size = -65536")

    async def analyze(self) -> None:
        """Have the database count again what it plans by; a large import changed it all."""
        statements = {
            "postgres": "ANALYZE users",
            "mysql": "ANALYZE TABLE users, user_trigrams",
            "sqlite": "PRAGMA optimize",
        }
        await raw_client().execute_query(statements[raw_client().capabilities.dialect])


async def _among(column: str, values: Iterable[str]) -> Sequence[Any]:
    wanted = list(values)
    if not wanted:
        return []
    is_postgres = raw_client().capabilities.dialect == "postgres"
    among = "= ANY(?::text[])" if is_postgres else f"IN ({', '.join('?' for _ in wanted)})"
    query = f"SELECT id, email, external_id FROM users WHERE {column} {among}"  # noqa: S608  # ours
    return await rows_of(query, [wanted] if is_postgres else wanted)


def _whole(row: Any) -> WholeUser:
    return WholeUser(
        id=as_uuid(row["id"]),
        external_id=row["external_id"],
        email=row["email"],
        name=row["name"],
        status=row["status"],
        email_verified=bool(row["email_verified"]),
        password_hash=row["password_hash"],
        created_at=as_instant(row["created_at"]),
        updated_at=as_instant(row["updated_at"]),
        profile={name: row[name] for name in ("avatar_url", "bio", "phone") if row[name]},
        roles=[],
    )
