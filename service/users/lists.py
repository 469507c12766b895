"""Lists of users in the order of their ids, read as plain rows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from service.core.paging import EXACT_TOTAL, Slice
from service.infra.database.rows import raw_client
from service.infra.totals import Totals
from service.users.models import ListedUser, RoleName, UserStatus
from service.users.search import Match, Plan, plan_of, rows_of

_COLUMNS = (
    "u.id AS id, u.email AS email, u.name AS name, u.status AS status,"
    " u.email_verified AS email_verified, u.created_at AS created_at, u.updated_at AS updated_at,"
    " u.version AS version"
)


class UserLists:
    """Pages by number and by keyset, and totals, of every kind of match."""

    def __init__(self, totals: Totals, *, exact_to: int = EXACT_TOTAL) -> None:
        self._totals, self._exact_to = totals, exact_to

    async def page(self, match: Match, page: int, size: int) -> Slice[ListedUser]:
        """A page by number, with the total; deep ones step over ids only, yet over each of them."""
        plan = await plan_of(match)
        rows = await _read(plan, size + 1, page * size)
        total = await self._total(match, plan)
        return Slice(rows[:size], total, more=len(rows) > size)

    async def after(self, match: Match, after: UUID | None, size: int) -> Slice[ListedUser]:
        """The ``size`` users that follow ``after``; the last page costs what the first does."""
        plan = await plan_of(match)
        if after is not None:
            plan.after(after, raw_client().capabilities.dialect)
        rows = await _read(plan, size + 1)
        return Slice(rows[:size], None, more=len(rows) > size)

    async def total(self, match: Match) -> int:
        """How many match: exact to ``EXACT_TOTAL``, beyond that at most ``TOTAL_AGE`` s old."""
        return await self._total(match, await plan_of(match))

    async def _total(self, match: Match, plan: Plan) -> int:
        held = self._totals.held(match.key)
        if held is not None:
            return held
        few = await _count(plan, at_most=self._exact_to + 1)
        if few <= self._exact_to:
            return few

        async def count() -> int:
            return await _count(await plan_of(match))

        return await self._totals.get(match.key, count)


async def _count(plan: Plan, at_most: int | None = None) -> int:
    if at_most is None:
        (row,) = await rows_of(f"SELECT COUNT(*) AS n {plan.rest()}", plan.values)
    else:
        query = f"SELECT COUNT(*) AS n FROM (SELECT 1 AS one {plan.rest()} LIMIT ?) few"  # noqa: S608
        (row,) = await rows_of(query, [*plan.values, at_most])
    return int(row["n"])


async def _read(plan: Plan, limit: int, skip: int = 0) -> list[ListedUser]:
    query = (
        f"SELECT {_COLUMNS} FROM ({plan.ids()} ORDER BY {plan.key} LIMIT ? OFFSET ?) k"  # noqa: S608
        " JOIN users u ON u.id = k.id ORDER BY u.id"
    )
    users = [_user(row) for row in await rows_of(query, [*plan.values, limit, skip])]
    await add_roles({user.id: user.roles for user in users})
    return users


async def add_roles(holders: Mapping[UUID, list[RoleName]]) -> None:
    """Read the roles of so many users into their lists."""
    if not holders:
        return
    is_postgres = raw_client().capabilities.dialect == "postgres"
    ids: list[Any] = [id_ if is_postgres else str(id_) for id_ in holders]
    among = "= ANY(?::uuid[])" if is_postgres else f"IN ({', '.join('?' for _ in ids)})"
    rows = await rows_of(
        "SELECT h.user_id AS user_id, r.name AS name FROM user_roles h"  # noqa: S608  # ours
        f" JOIN roles r ON r.id = h.role_id WHERE h.user_id {among}",
        [ids] if is_postgres else ids,
    )
    for row in rows:
        holders[as_uuid(row["user_id"])].append(RoleName(row["name"]))


def _user(row: Any) -> ListedUser:
    return ListedUser(
        id=as_uuid(row["id"]),
        email=row["email"],
        name=row["name"],
        status=UserStatus(row["status"]),
        email_verified=bool(row["email_verified"]),
        created_at=as_instant(row["created_at"]),
        updated_at=as_instant(row["updated_at"]),
        version=row["version"],
    )


def as_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def as_instant(value: Any) -> datetime:
    """SQLite holds text, MariaDB instants without their zone, which is UTC."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
