"""Search of users by part of a name or e-mail: what each database is asked. See docs/search.md."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from service.core.text import folded, normal_email
from service.infra.database.rows import in_dialect, raw_client
from service.users.models import SyncStatus, UserStatus

FEW = 2_000
"""SQLite sorts up to so many rows that its index found; of more it reads users in order."""
_PROBED = 12
"""Of a long term so many trigrams are weighed against each other on MariaDB and MySQL."""
_GRAM_ID = (
    "INSERT(INSERT(INSERT(INSERT(LOWER(HEX(g.user_id)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'),"
    " 24, 0, '-')"
)
_fresh = itertools.count()


@dataclass(frozen=True, slots=True)
class Match:
    """Which users a list is about; ``term`` is a part of a name or an e-mail, in any case."""

    status: UserStatus | None = None
    term: str = ""
    sync_status: SyncStatus | None = None

    @property
    def key(self) -> str:
        """The same for matches that find the same."""
        return f"{self.status or ''}:{self.sync_status or ''}:{folded(self.term)}"


@dataclass(slots=True)
class Plan:
    """How the ids of a match are found: parts of one SELECT, parameters written ``?``.

    ``key`` is the column whose order is that of ids.
    """

    tables: str = "users u"
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    key: str = "u.id"
    id: str = "u.id"
    note: str = ""

    def also(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition)
        self.values.extend(values)

    def after(self, after: UUID, dialect: str) -> None:
        """Only ids above ``after``."""
        is_packed = self.key != "u.id"
        text = after if dialect == "postgres" else str(after)
        self.also(f"{self.key} > ?", after.bytes if is_packed else text)

    def ids(self) -> str:
        """The SELECT of the ids, without order."""
        return f"SELECT {self.id} AS id {self.rest()}"

    def rest(self) -> str:
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"FROM {self.tables}{where}{self.note}"


async def plan_of(match: Match) -> Plan:
    """How to find what matches, by an index wherever the database has one for it."""
    client = raw_client()
    dialect = client.capabilities.dialect
    plan = await _by_term(match.term, dialect)
    if plan.tables == "user_trigrams g" and (match.status or match.sync_status):
        plan.tables += f" STRAIGHT_JOIN users u ON u.id = {_GRAM_ID}"
    if match.status is not None:
        plan.also("u.status = ?", match.status.value)
    if match.sync_status is not None:
        plan.also("u.sync_status = ?", match.sync_status.value)
    return plan


async def _by_term(term: str, dialect: str) -> Plan:
    bare = folded(term).strip()
    if not bare:
        return Plan()
    if "@" in bare and await _is_address_of_somebody(term):
        return Plan(conditions=["u.email = ?"], values=[normal_email(term)])
    if len(bare) < 3 and not any(c.isalnum() for c in bare):
        return _anywhere(bare, dialect)
    if dialect == "postgres":
        return _postgres(bare)
    return await (_sqlite(bare) if dialect == "sqlite" else _mysql(bare))


async def _is_address_of_somebody(term: str) -> bool:
    try:
        address = normal_email(term)
    except ValueError:
        return False
    return bool(await rows_of("SELECT 1 AS found FROM users WHERE email = ?", [address]))


def _anywhere(text: str, dialect: str) -> Plan:
    """One or two signs, no letter or digit among them: no index knows them, every row is read."""
    found = {
        "postgres": "strpos(u.search, ?) > 0",
        "sqlite": "instr(u.search, ?) > 0",
        "mysql": "LOCATE(?, u.search) > 0",
    }
    return Plan(conditions=[found[dialect]], values=[text])


def needle(bare: str) -> str:
    """What to look for in text whose words are marked as migration 2 marks them.

    Three characters and more are found anywhere; fewer only where a word begins, which the marks
    make three characters as well.
    """
    marked = bare.replace(" ", " \n\n")
    return "\n" * (3 - len(bare)) + marked


def _postgres(bare: str) -> Plan:
    """pg_trgm serves LIKE by itself, and the planner weighs it against reading users in order.

    It can do so only when it sees the term: a statement that was prepared before may have been
    planned for any term, so each search is a statement of its own.
    """
    text = bare.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    anchors = ["%"] if len(bare) >= 3 else ["", "% ", "%\n"]
    patterns = [f"{anchor}{text}%" for anchor in anchors]
    either = " OR ".join("u.search LIKE ?" for _ in patterns)
    return Plan(conditions=[f"({either})"], values=patterns, note=f" /* {next(_fresh)} */")


async def _sqlite(bare: str) -> Plan:
    phrase = '"' + needle(bare).replace('"', '""') + '"'
    probe = (
        "SELECT COUNT(*) AS n FROM (SELECT 1 FROM user_search WHERE user_search MATCH ? LIMIT ?)"
    )
    (found,) = await rows_of(probe, [phrase, FEW + 1])
    if found["n"] <= FEW:
        tables = (
            "user_search CROSS JOIN user_search_rows r ON r.no = user_search.rowid"
            " CROSS JOIN users u ON u.id = r.user_id"
        )
        return Plan(tables, ["user_search MATCH ?"], [phrase])
    if len(bare) >= 3:
        return _anywhere(bare, "sqlite")
    begins = "instr(char(10) || replace(u.search, ' ', char(10)), char(10) || ?) > 0"
    return Plan(conditions=[begins], values=[bare])


async def _mysql(bare: str) -> Plan:
    """The rarest trigram's users in the order of ids, which is that of its part of the table."""
    text = needle(bare)
    grams = list(dict.fromkeys(text[i : i + 3] for i in range(len(text) - 2)))
    grams = [gram for gram in grams if len(grams) == 1 or not gram.startswith("\n")] or grams
    grams = await _rarest(grams)
    plan = Plan("user_trigrams g", ["g.trigram = ?"], [grams[0]], key="g.user_id", id=_GRAM_ID)
    if len(grams) > 1:
        plan.tables += " STRAIGHT_JOIN user_trigrams h ON h.user_id = g.user_id"
        plan.also("h.trigram = ?", grams[1])
    if len(text) > 3:
        plan.tables += f" STRAIGHT_JOIN users u ON u.id = {_GRAM_ID}"
        plan.also("LOCATE(?, u.search) > 0", bare)
    return plan


async def _rarest(grams: Sequence[str]) -> list[str]:
    """Up to two, the rarest first, as the database guesses from a glance at its index."""
    step = -(-len(grams) // _PROBED)
    some = list(grams)[::step]
    if len(some) == 1:
        return some
    each = " UNION ALL ".join("SELECT 1 FROM user_trigrams WHERE trigram = ?" for _ in some)
    guesses = (await rows_of(f"EXPLAIN {each}", some))[: len(some)]
    counts = [int(guess["rows"] or 0) for guess in guesses]
    return [gram for _, gram in sorted(zip(counts, some, strict=True))][:2]


async def rows_of(query: str, values: Sequence[Any]) -> Sequence[Any]:
    """The rows of a query whose parameters are written ``?``."""
    client = raw_client()
    _, rows = await client.execute_query(
        in_dialect(client.capabilities.dialect, query), list(values)
    )
    return rows  # type: ignore[no-any-return]  # Tortoise says Any
