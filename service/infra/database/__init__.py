"""The relational database: SQLite, PostgreSQL, MariaDB or MySQL, behind Tortoise."""

from service.infra.database.connection import Database
from service.infra.database.guard import DatabaseUnavailable
from service.infra.database.rows import insert_rows
from service.infra.database.url import UnreadableUrl
from service.infra.database.violations import foreign_key_violation, unique_violation

__all__ = [
    "Database",
    "DatabaseUnavailable",
    "UnreadableUrl",
    "foreign_key_violation",
    "insert_rows",
    "unique_violation",
]
