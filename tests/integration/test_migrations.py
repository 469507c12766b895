"""The schema's history on SQLite, PostgreSQL and MariaDB: forward, back, at once, in step."""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aerich.coder import encoder
from aerich.utils import decompress_dict, import_py_file

from service.auth.models import Session
from service.core.clock import utc_now
from service.infra.database import Database, DatabaseUnavailable
from service.infra.database.guard import Guarded
from service.infra.migrations import FOLDER, MigrationError, Migrator
from service.infra.migrations import differ as differ_module
from service.infra.migrations.files import DIALECTS, Script, read_folder, render
from service.roles.models import Role
from service.users.models import User, UserProfile
from tests.support.databases import TABLES, Backend, fresh_database

INIT = read_folder(FOLDER)[0].name
NAMES = [migration.name for migration in read_folder(FOLDER)]


@pytest.fixture
def empty(backend: Backend) -> Iterator[str]:
    with fresh_database(backend, migrated=False) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the history, to add to."""
    copy = tmp_path / "arcana"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def add(folder: Path, name: str, upgrade: dict[str, Any], downgrade: dict[str, Any]) -> str:
    """Put another migration into ``folder`` that leaves the models as they are."""
    history = read_folder(folder)
    path = folder / f"{len(history)}_20270101000000_{name}.py"
    path.write_text(render(name, upgrade, downgrade, history[-1].state))
    return path.name


def alike(*statements: str) -> dict[str, list[str]]:
    return {dialect: list(statements) for dialect in DIALECTS}


async def query(url: str, text: str) -> list[dict[str, Any]]:
    client = Database(url).engine(pool_size=1, command_timeout=10)
    await client.create_connection(with_db=True)
    try:
        return [dict(row) for row in (await client.execute_query(text))[1]]
    finally:
        await client.close()


# Up and down


async def test_up_down_up_leaves_a_working_schema(empty: str) -> None:
    migrator = Migrator(Database(empty))
    assert await migrator.up() == NAMES
    assert await migrator.down(len(NAMES)) == NAMES[::-1]
    assert await migrator.up() == NAMES
    for table in (*TABLES, "aerich"):
        await query(empty, f"SELECT * FROM {table}")


async def test_down_leaves_nothing_behind(empty: str, backend: Backend) -> None:
    migrator = Migrator(Database(empty))
    await migrator.up()
    await migrator.down(len(NAMES))
    tables = {
        "sqlite": "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
        "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
    }
    assert await query(empty, tables[backend]) == []


async def test_up_twice_applies_once_and_tells_each_step(empty: str) -> None:
    migrator, lines = Migrator(Database(empty)), list[str]()
    await migrator.up(lines.append)
    assert await migrator.up(lines.append) == []
    assert [line.split()[1] for line in lines] == NAMES


async def test_status_says_what_is_applied_and_what_is_not(empty: str, folder: Path) -> None:
    migrator = Migrator(Database(empty))
    assert (await migrator.status()).pending == await migrator.pending() == NAMES
    newer = add(folder, "newer", alike(), alike())
    await Migrator(Database(empty), folder=folder).up()
    status = await migrator.status()
    assert (status.applied, status.pending, status.unknown) == ([*NAMES, newer], [], [newer])


async def test_what_a_newer_release_applied_is_not_taken_back_by_this_one(
    empty: str, folder: Path
) -> None:
    add(folder, "newer", alike(), alike())
    await Migrator(Database(empty), folder=folder).up()
    with pytest.raises(MigrationError, match="newer release"):
        await Migrator(Database(empty)).down()


async def test_up_down_up_leaves_the_rows_as_they_were(empty: str, folder: Path) -> None:
    """Row by row, every column that the older schema has, one step at a time."""
    history = read_folder(folder)
    migrator = Migrator(Database(empty), folder=folder)
    await migrator.up()
    await _write_rows(Database(empty))
    for steps in range(1, len(history)):
        before = await _rows(empty)
        await migrator.down(steps)
        older = await _rows(empty)
        await migrator.up()
        after = await _rows(empty)
        assert _common(older, before) == older
        assert _common(older, after) == older
        assert {name: len(rows) for name, rows in after.items()} == {
            name: len(rows) for name, rows in before.items()
        }


async def _write_rows(database: Database) -> None:
    await database.connect()
    role = await Role.create(name="user", description="Every registered person.")
    for name in ("Ada", "Åsa ß 🦉", "O'Hara"):
        user = await User.create(
            email=f"{len(name)}@example.com", name=name, search=name, password_hash="x" * 255
        )
        await user.roles.add(role)
        await UserProfile.create(user=user, bio="first\n\tsecond", phone="+4412345")
        await Session.create(user=user, salt=bytes(range(256)), expires_at=utc_now())
    await database.close()


async def _rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of the tables that hold what people gave us."""
    tables = ("users", "roles", "user_roles", "user_profiles", "sessions")
    found = {name: await query(url, f"SELECT * FROM {name}") for name in tables}
    return {
        name: sorted(rows, key=lambda row: str(sorted(row.items()))) for name, rows in found.items()
    }


def _common(older: Any, newer: Any) -> Any:
    """``newer`` with only the columns of ``older``."""
    kept = {name: rows[0].keys() for name, rows in older.items()}
    cut = {
        name: [{column: row[column] for column in kept[name]} for row in rows]
        for name, rows in newer.items()
    }
    return {
        name: sorted(rows, key=lambda row: str(sorted(row.items()))) for name, rows in cut.items()
    }


async def test_hashes_too_long_for_the_older_schema_go_on_the_way_back(empty: str) -> None:
    migrator, database = Migrator(Database(empty)), Database(empty)
    await migrator.up()
    await database.connect()
    for name, length in (("long", 512), ("short", 255)):
        await User.create(
            email=f"{name}@example.com", name=name, search=name, password_hash="x" * length
        )
    await database.close()
    await migrator.down(len(NAMES) - 1)
    rows = await query(empty, "SELECT name, password_hash AS hash FROM users ORDER BY name")
    assert [(row["name"], row["hash"] and len(row["hash"])) for row in rows] == [
        ("long", None),
        ("short", 255),
    ]


@pytest.mark.parametrize("way", ["up", "down"])
async def test_what_was_interrupted_after_its_last_statement_runs_again(
    backend: Backend, way: str
) -> None:
    if backend != "mysql":
        pytest.skip("the others keep nothing of what was interrupted")
    with fresh_database(backend, migrated=False) as url:
        migrator = Migrator(Database(url))
        await migrator.up()
        names = NAMES[1:]
        if way == "up":  # all is there, and nobody wrote it down
            await query(url, f"DELETE FROM aerich WHERE id > {len(NAMES) - len(names)}")
            assert await migrator.up() == names
        else:  # all is gone, and it is written down as there
            held = await query(url, "SELECT * FROM aerich ORDER BY id")
            await migrator.down(len(names))
            for row in held[1:]:
                values = f"{row['id']}, '{row['version']}', '{row['app']}', '{{}}'"
                await query(url, f"INSERT INTO aerich VALUES ({values})")
            assert await migrator.down(len(names)) == names[::-1]
        assert await migrator.pending() == ([] if way == "up" else names)


async def test_two_that_migrate_at_once_do_not_collide(empty: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from service.infra.database import Database\n"
        "from service.infra.migrations import Migrator\n"
        "print(asyncio.run(Migrator(Database(sys.argv[1])).up()))\n"
    )
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, empty),
            stdout=asyncio.subprocess.PIPE,
            cwd=FOLDER.parents[1],
        )
        for _ in range(3)
    ]
    outputs = [(await process.communicate())[0].decode().strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(outputs) == sorted([str(NAMES), "[]", "[]"])
    assert await Migrator(Database(empty)).pending() == []


async def test_many_tasks_that_migrate_at_once_do_not_collide(empty: str) -> None:
    done = await asyncio.gather(*(Migrator(Database(empty)).up() for _ in range(4)))
    assert sorted(done) == [[], [], [], NAMES]


async def test_the_lock_goes_with_who_is_cancelled(empty: str) -> None:
    for delay in range(8):
        task = asyncio.create_task(Migrator(Database(empty)).up())
        await asyncio.sleep(0.004 * delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(10):
        await Migrator(Database(empty)).up()
    assert await Migrator(Database(empty)).pending() == []


async def test_a_failed_migration_says_where_and_keeps_nothing_that_it_can_undo(
    empty: str, backend: Backend, folder: Path
) -> None:
    broken = alike("CREATE TABLE half (id INT)", "INSERT INTO nowhere VALUES (1)")
    name = add(folder, "broken", broken, alike())
    migrator = Migrator(Database(empty), folder=folder)
    with pytest.raises(MigrationError, match=f"{name}: statement 2 of 2"):
        await migrator.up()
    assert await migrator.pending() == [name]
    if backend == "mysql":
        assert await query(empty, "SELECT * FROM half") == []
    else:
        with pytest.raises(Exception, match="half"):
            await query(empty, "SELECT * FROM half")


async def test_a_table_made_anew_keeps_the_rows_that_point_to_it(
    backend: Backend, folder: Path
) -> None:
    if backend != "sqlite":
        pytest.skip("the others alter tables in place")
    rebuild = [
        "CREATE TABLE new_roles AS SELECT * FROM roles",
        "DROP TABLE roles",
        "ALTER TABLE new_roles RENAME TO roles",
        "CREATE UNIQUE INDEX uq_roles_id ON roles (id)",
    ]
    with fresh_database(backend) as url:
        database = Database(url)
        await _write_a_grant(database)
        add(folder, "rebuild", alike() | {"sqlite": rebuild}, alike())
        await Migrator(database, folder=folder).up()
        assert len(await query(url, "SELECT * FROM user_roles")) == 1


async def test_a_migration_that_leaves_rows_pointing_to_nothing_is_undone(
    backend: Backend, folder: Path
) -> None:
    if backend != "sqlite":
        pytest.skip("the others hold foreign keys throughout")
    with fresh_database(backend) as url:
        database = Database(url)
        await _write_a_grant(database)
        add(folder, "careless", alike() | {"sqlite": ["DELETE FROM roles"]}, alike())
        with pytest.raises(MigrationError, match="point to nothing"):
            await Migrator(database, folder=folder).up()
        assert len(await query(url, "SELECT * FROM roles")) == 1


async def _write_a_grant(database: Database) -> None:
    await database.connect()
    user = await User.create(email="ada@example.com", name="Ada", search="ada")
    await user.roles.add(await Role.create(name="user"))
    await database.close()


async def test_a_database_in_memory_is_migrated_while_it_is_connected(backend: Backend) -> None:
    if backend != "sqlite":
        pytest.skip("only SQLite lives in memory")
    database = Database("sqlite://:memory:")
    await database.connect()
    assert await Migrator(database).up() == NAMES
    assert await Migrator(database).pending() == []
    await database.close()


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable):
        await Migrator(Database("postgres://127.0.0.1:1/arcana")).status()


# The schema is what the models say


async def test_a_database_that_takes_no_utf_8_is_refused_before_anything_is_done(
    backend: Backend,
) -> None:
    if backend != "postgres":
        pytest.skip("the others' tables say their encoding themselves")
    options = "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    with fresh_database(backend, migrated=False, options=options) as url:
        migrator = Migrator(Database(url))
        with pytest.raises(MigrationError, match="encoding is SQL_ASCII; names need UTF8"):
            await migrator.up()
        assert (await migrator.status()).applied == []


async def test_the_tables_have_the_columns_of_the_models(backend: Backend) -> None:
    with fresh_database(backend) as url:
        for model in (await differ_module.load_models()).values():
            described = model.describe()
            fields = [described["pk_field"], *described["data_fields"]]
            wanted = {field["db_column"]: bool(field["nullable"]) for field in fields}
            assert await _columns(url, backend, described["table"]) == wanted


async def _columns(url: str, backend: Backend, table: str) -> dict[str, bool]:
    if backend == "sqlite":
        rows = await query(url, f"PRAGMA table_info({table})")
        return {row["name"]: not row["notnull"] for row in rows}
    schema = {"postgres": "'public'", "mysql": "DATABASE()"}[backend]
    rows = await query(
        url,
        "SELECT column_name AS name, is_nullable AS nullable FROM information_schema.columns"
        f" WHERE table_name = '{table}' AND table_schema = {schema}",
    )
    return {row["name"]: row["nullable"] == "YES" for row in rows}


async def test_mariadb_compares_all_our_text_byte_for_byte(backend: Backend) -> None:
    if backend != "mysql":
        pytest.skip("the others do so anyway")
    with fresh_database(backend) as url:
        rows = await query(
            url,
            "SELECT DISTINCT collation_name AS c FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND collation_name IS NOT NULL",
        )
    assert [row["c"] for row in rows] == ["utf8mb4_bin"]


# In step with the models


NOWHERE = Database("sqlite://nowhere/arcana.db")


async def test_models_and_migrations_agree() -> None:
    assert await Migrator(NOWHERE).check() == ""


async def test_check_writes_nothing(folder: Path) -> None:
    before = read_folder(folder)
    await Migrator(NOWHERE, folder=folder).check()
    assert read_folder(folder) == before


def forget(folder: Path, change: Any) -> None:
    """Make the history's last state one from before ``change``."""
    last = read_folder(folder)[-1]
    state = json.loads(encoder(last.state))
    change(state)
    (folder / last.name).write_text(render("init", last.upgrade, last.downgrade, state))


def without_phone(state: Any) -> None:
    profile = state["arcana.UserProfile"]
    profile["data_fields"] = [f for f in profile["data_fields"] if f["name"] != "phone"]


def with_shorter_names(state: Any) -> None:
    (field,) = (f for f in state["arcana.User"]["data_fields"] if f["name"] == "name")
    field["db_field_types"] = {"": "VARCHAR(100)"}
    field["constraints"] = {"max_length": 100}


def without_an_index(state: Any) -> None:
    state["arcana.Session"]["indexes"].pop(0)


def with_other_deletion(state: Any) -> None:
    state["arcana.Session"]["fk_fields"][0]["on_delete"] = "RESTRICT"


def without_a_table(state: Any) -> None:
    del state["arcana.Session"]


@pytest.mark.parametrize(
    "change",
    [without_phone, with_shorter_names, without_an_index, with_other_deletion, without_a_table],
)
async def test_check_notices_that_a_model_has_changed(folder: Path, change: Any) -> None:
    forget(folder, change)
    assert await Migrator(NOWHERE, folder=folder).check() != ""


async def test_check_does_not_mind_other_words_in_a_docstring(folder: Path) -> None:
    def reworded(state: Any) -> None:
        state["arcana.User"]["docstring"] = state["arcana.User"]["description"] = "Somebody."
        state["arcana.User"]["data_fields"].reverse()

    forget(folder, reworded)
    assert await Migrator(NOWHERE, folder=folder).check() == ""


async def test_make_writes_one_file_that_works_on_each_database(
    empty: str, backend: Backend, folder: Path
) -> None:
    forget(folder, without_phone)
    drop = 'ALTER TABLE user_profiles DROP COLUMN "phone"'
    before = alike(drop) | {"mysql": [drop.replace('"', "`")]}
    history = read_folder(folder)
    old = folder / history[-1].name
    upgrade: Script = {d: [*history[-1].upgrade[d], *before[d]] for d in DIALECTS}
    text = render("init", upgrade, history[-1].downgrade, history[-1].state)
    apart = f"RUN_IN_TRANSACTION = {history[-1].in_transaction}"
    old.write_text(text.replace("RUN_IN_TRANSACTION = True", apart))

    migrator = Migrator(Database(empty), folder=folder)
    await migrator.up()
    assert "phone" not in await _columns(empty, backend, "user_profiles")
    path = await migrator.make("add_phone")
    assert path.name.endswith("_add_phone.py")
    assert await migrator.check() == ""
    for step in ("up", "down", "up"):
        await getattr(migrator, step)()
        assert ("phone" in await _columns(empty, backend, "user_profiles")) is (step == "up")


async def test_a_new_table_is_as_ours_are_on_mariadb(folder: Path) -> None:
    forget(folder, without_a_table)
    path = await Migrator(NOWHERE, folder=folder).make("add_sessions")
    upgrade = read_folder(folder)[-1].upgrade
    assert all("sessions" in "".join(upgrade[dialect]) for dialect in DIALECTS)
    assert "COLLATE utf8mb4_bin" in upgrade["mysql"][0]
    assert "One log-in" not in path.read_text()


@pytest.mark.parametrize("change", [with_shorter_names, with_other_deletion])
async def test_what_no_tool_can_write_is_left_to_a_hand_and_check_asks_for_it(
    backend: Backend, folder: Path, change: Any
) -> None:
    forget(folder, change)
    with fresh_database(backend) as url:
        migrator = Migrator(Database(url), folder=folder)
        await migrator.make("by_hand")
        assert "upgrade sqlite: " in await migrator.check()
        if backend == "sqlite":
            with pytest.raises(MigrationError, match="by hand"):
                await migrator.up()


async def test_what_only_sqlite_cannot_do_is_written_for_the_others(folder: Path) -> None:
    forget(folder, with_shorter_names)
    path = await Migrator(NOWHERE, folder=folder).make("longer_names")
    upgrade = read_folder(folder)[-1].upgrade
    assert "VARCHAR(255)" in upgrade["postgres"][0]
    assert "VARCHAR(255)" in upgrade["mysql"][0]
    assert path.read_text().count("WRITE BY HAND") == 2


async def test_make_writes_nothing_when_nothing_has_changed(folder: Path) -> None:
    with pytest.raises(MigrationError, match="nothing to write"):
        await Migrator(NOWHERE, folder=folder).make("nothing")
    forget(folder, without_phone)
    with pytest.raises(MigrationError, match="name"):
        await Migrator(NOWHERE, folder=folder).make("../escape")


async def test_a_history_with_a_gap_or_a_twin_is_refused(folder: Path) -> None:
    shutil.copy(folder / INIT, folder / f"{len(NAMES) + 1}_20270101000000_gap.py")
    with pytest.raises(MigrationError, match="numbered"):
        read_folder(folder)


async def test_aerich_itself_can_read_our_files(backend: Backend) -> None:
    module = import_py_file(FOLDER / INIT)
    client: Guarded = Database(
        {"sqlite": "sqlite://x", "postgres": "postgres://h/x", "mysql": "mysql://h/x"}[backend]
    ).engine(pool_size=1, command_timeout=1)
    assert "CREATE TABLE" in await module.upgrade(client)
    assert "DROP TABLE" in await module.downgrade(client)
    assert "arcana.User" in decompress_dict(module.MODELS_STATE)
