"""Which rule of the schema a write broke, said alike for three databases."""

import re
from dataclasses import dataclass
from typing import Literal

from tortoise.exceptions import IntegrityError

Rule = Literal["unique", "foreign key", "other"]

_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")
_MYSQL_KEY = re.compile(r".* for key '([^']*)'", re.DOTALL)
_MYSQL_DUPLICATE = 1062
_MYSQL_FOREIGN = {1216, 1217, 1451, 1452}


@dataclass(frozen=True, slots=True)
class Violation:
    """The broken rule and its index, constraint or columns; nothing of the row's content."""

    rule: Rule
    where: str = ""

    def __str__(self) -> str:
        return f"{self.rule} {self.where}".rstrip()


def unique_violation(error: IntegrityError) -> str | None:
    """The unique index that ``error`` is about, or None when it is about something else.

    The index's name on PostgreSQL and MariaDB (``uq_users_email``), its columns on SQLite
    (``users.email``): ask whether the column's name is ``in`` it.
    """
    return _where(error, "unique")


def foreign_key_violation(error: IntegrityError) -> bool:
    """Whether a row that was pointed to is missing, or is still pointed to."""
    return _where(error, "foreign key") is not None


def _where(error: IntegrityError, rule: Rule) -> str | None:
    violation = error.args[0] if error.args else None
    if isinstance(violation, Violation) and violation.rule == rule:
        return violation.where
    return None


def from_sqlite(text: str) -> Violation:
    """Read SQLite's message, all it gives."""
    if found := _SQLITE_UNIQUE.match(text):
        return Violation("unique", found[1])
    return Violation("foreign key" if text.startswith("FOREIGN KEY") else "other")


def from_mysql(number: int, text: str) -> Violation:
    """Read MariaDB's or MySQL's number and message.

    The message quotes the row first and the key last, so the last quoted word is ours whatever
    the row says.
    """
    if number == _MYSQL_DUPLICATE:
        found = _MYSQL_KEY.match(text)
        return Violation("unique", found[1] if found else "")
    return Violation("foreign key" if number in _MYSQL_FOREIGN else "other")


def from_postgres(state: str, constraint: str | None) -> Violation:
    """Read PostgreSQL's SQLSTATE (its manual, appendix A) and constraint name."""
    rules: dict[str, Rule] = {"23505": "unique", "23503": "foreign key"}
    return Violation(rules.get(state, "other"), constraint or "")
