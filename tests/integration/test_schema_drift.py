"""After all migrations the three databases have one schema, said in one form and compared."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.test_migrations import query
from tests.support.databases import Backend, available, fresh_database

OWN = {
    "sqlite": re.compile(r"user_search.*|sqlite_.*"),
    "postgres": re.compile(r"$^"),
    "mysql": re.compile(r"user_trigrams|trigram_positions"),
}
"""Tables that only one of them needs: its way to search."""
OWN_INDEXES = {"ix_users_search_trgm"}

KINDS = [
    (r"(character varying|varchar)\((\d+)\)", r"text of \2"),
    (r"(char(acter)?\(36\)|uuid)", "id"),
    (r"(longtext|text)", "text"),
    (r"(blob|longblob|bytea)", "bytes"),
    (r"(timestamp|datetime\(6\)|timestamp\(6\)|timestamp with time zone)", "instant"),
    (r"(bool|boolean|tinyint\(1\))", "truth"),
    (r"(bigint(\(\d+\))?)", "large number"),
    (r"(smallint(\(\d+\))?)", "small number"),
    (r"(decimal|numeric)\((\d+),(\d+)\)", r"decimal of \2 digits, \3 behind the point"),
    (r"(int|integer)(\(\d+\))?", "number"),
    (r"(json|jsonb)", "json"),
]
ALIKE = {
    ("sqlite", "users.email_verified"): "truth",  # SQLite has no other
    **{
        ("sqlite", f"{table}.id"): "large number"  # its numbers are all large
        for table in ("changes", "deliveries", "events", "order_items")
    },
    **{
        ("sqlite", amount): "decimal of 19 digits, 4 behind the point"  # it has none: text is exact
        for amount in ("orders.total", "order_items.unit_price")
    },
    ("mysql", "aerich.content"): "json",  # MariaDB calls JSON text
}


@dataclass
class Schema:
    """A schema in words that no database owns."""

    columns: dict[str, str] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)
    foreign_keys: dict[str, str] = field(default_factory=dict)

    def column(self, at: str, backend: str, kind: str, null: bool, default: Any) -> None:
        said = ALIKE.get((backend, at)) or _kind(kind)
        told = "" if default in (None, "NULL") else f", {default} by default"
        self.columns[at] = f"{said}{', may be null' if null else ''}{told}"


def _kind(kind: str) -> str:
    for pattern, said in KINDS:
        if found := re.fullmatch(pattern, kind.lower()):
            return found.expand(said)
    raise AssertionError(f"{kind!r} is a type that no table had so far; say what it means in KINDS")


def _plain(default: Any) -> Any:
    return None if default is None or "nextval" in str(default) else str(default).strip("'")


async def of_sqlite(url: str) -> Schema:
    found = Schema()
    for table in await _tables(
        url, "sqlite", "SELECT name FROM sqlite_master WHERE type = 'table'"
    ):
        for row in await query(url, f"PRAGMA table_info({table})"):
            at = f"{table}.{row['name']}"
            null = not (row["notnull"] or row["pk"])
            found.column(at, "sqlite", row["type"], null, _plain(row["dflt_value"]))
        keys = [row for row in await query(url, f"PRAGMA table_info({table})") if row["pk"]]
        _index(found, table, [row["name"] for row in sorted(keys, key=lambda r: int(r["pk"]))], 1)
        for index in await query(url, f"PRAGMA index_list({table})"):
            if index["origin"] != "pk":
                rows = await query(url, f"PRAGMA index_info({index['name']})")
                _index(found, table, [row["name"] for row in rows], index["unique"])
        for row in await query(url, f"PRAGMA foreign_key_list({table})"):
            found.foreign_keys[f"{table}.{row['from']}"] = (
                f"{row['table']}.{row['to']} {row['on_delete']}"
            )
    return found


async def of_postgres(url: str) -> Schema:
    found = Schema()
    for table in await _tables(
        url, "postgres", "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    ):
        for row in await query(url, _PG_COLUMNS.format(table)):
            at = f"{table}.{row['name']}"
            found.column(at, "postgres", row["kind"], not row["filled"], _plain(row["preset"]))
        for row in await query(url, _PG_INDEXES.format(table)):
            if row["name"] not in OWN_INDEXES:
                _index(found, table, row["columns"].split(","), row["uniquely"])
        for row in await query(url, _PG_FOREIGN.format(table)):
            found.foreign_keys[f"{table}.{row['name']}"] = f"{row['goal']} {_RULES[row['rule']]}"
    return found


_PG_COLUMNS = """
    SELECT attname::text AS name, format_type(atttypid, atttypmod) AS kind, attnotnull AS filled,
        pg_get_expr(adbin, adrelid) AS preset
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped"""
_PG_INDEXES = """
    SELECT c.relname::text AS name, indisunique AS uniquely,
        (SELECT string_agg(attname, ',' ORDER BY place) FROM unnest(indkey::int[])
            WITH ORDINALITY AS k (no, place)
            JOIN pg_attribute ON attrelid = indrelid AND attnum = no) AS columns
    FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = '{}'::regclass"""
_PG_FOREIGN = """
    SELECT a.attname::text AS name, confdeltype::text AS rule,
        confrelid::regclass::text || '.' || b.attname AS goal
    FROM pg_constraint
    JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = conkey[1]
    JOIN pg_attribute b ON b.attrelid = confrelid AND b.attnum = confkey[1]
    WHERE contype = 'f' AND conrelid = '{}'::regclass"""
_RULES = {"c": "CASCADE", "a": "NO ACTION", "r": "RESTRICT", "n": "SET NULL"}


async def of_mysql(url: str) -> Schema:
    found = Schema()
    for table in await _tables(
        url,
        "mysql",
        "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
    ):
        for row in await query(url, _MY_COLUMNS.format(table)):
            null = row["nullable"] == "YES"
            found.column(
                f"{table}.{row['name']}", "mysql", row["kind"], null, _plain(row["preset"])
            )
        for row in await query(url, _MY_INDEXES.format(table)):
            _index(found, table, row["columns"].split(","), not row["many"])
        for row in await query(url, _MY_FOREIGN.format(table)):
            found.foreign_keys[f"{table}.{row['name']}"] = f"{row['goal']} {row['rule']}"
    return found


_MY_COLUMNS = """
    SELECT column_name AS name, column_type AS kind, is_nullable AS nullable,
        column_default AS preset
    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{}'"""
_MY_INDEXES = """
    SELECT index_name AS name, MAX(non_unique) AS many,
        GROUP_CONCAT(column_name ORDER BY seq_in_index) AS columns
    FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = '{}'
    GROUP BY index_name"""
_MY_FOREIGN = """
    SELECT k.column_name AS name, r.delete_rule AS rule,
        CONCAT(k.referenced_table_name, '.', k.referenced_column_name) AS goal
    FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
        ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
    WHERE k.table_schema = DATABASE() AND k.table_name = '{}'"""


async def _tables(url: str, backend: Backend, text: str) -> list[str]:
    names = [str(row["name"]) for row in await query(url, text)]
    return sorted(name for name in names if not OWN[backend].fullmatch(name))


def _index(found: Schema, table: str, columns: list[str], unique: Any) -> None:
    at = f"{table} ({', '.join(columns)})"
    found.indexes[at] = "unique" if unique or found.indexes.get(at) == "unique" else "plain"


READERS: dict[Backend, Callable[[str], Any]] = {
    "sqlite": of_sqlite,
    "postgres": of_postgres,
    "mysql": of_mysql,
}


async def _read(backend: Backend) -> Schema:
    with fresh_database(backend) as url:
        schema: Schema = await READERS[backend](url)
        return schema


@pytest.mark.backend("sqlite")
async def test_the_reading_sees_what_the_schema_has() -> None:
    schema = await _read("sqlite")
    assert schema.columns["users.version"] == "number, 1 by default"
    assert schema.columns["users.external_id"] == "text of 255, may be null"
    assert schema.columns["users.password_hash"] == "text of 512, may be null"
    assert schema.indexes["users (email)"] == "unique"
    assert schema.indexes["users (status, id)"] == "plain"
    assert schema.indexes["user_roles (user_id, role_id)"] == "unique"
    assert schema.foreign_keys["sessions.user_id"] == "users.id CASCADE"


@pytest.mark.parametrize("other", ["postgres", "mysql"])
async def test_sqlite_and_the_others_have_the_same_schema(other: Backend) -> None:
    if absence := available(other):
        pytest.skip(absence)
    ours, theirs = await _read("sqlite"), await _read(other)
    assert ours.columns == theirs.columns
    assert ours.indexes == theirs.indexes
    assert ours.foreign_keys == theirs.foreign_keys


PLANTS = {
    "a column": "ALTER TABLE users ADD COLUMN planted INT",
    "no null": "ALTER TABLE roles ALTER COLUMN description SET NOT NULL",
    "a longer text": "ALTER TABLE users ALTER COLUMN name TYPE VARCHAR(256)",
    "a default": "ALTER TABLE users ALTER COLUMN token_epoch SET DEFAULT 0",
    "an index": "CREATE INDEX planted ON users (name)",
    "no index": "DROP INDEX ix_users_status_id",
    "no uniqueness": "ALTER TABLE users DROP CONSTRAINT uq_users_email",
    "no foreign key": "ALTER TABLE sessions DROP CONSTRAINT fk_sessions_user_id",
    "a table": "CREATE TABLE planted (id INT)",
}


@pytest.mark.backend("postgres")
async def test_a_planted_drift_of_any_kind_is_seen() -> None:
    if absence := available("postgres"):
        pytest.skip(absence)
    for what, plant in PLANTS.items():
        with fresh_database("postgres") as url:
            before = await of_postgres(url)
            await query(url, plant)
            assert await of_postgres(url) != before, what
