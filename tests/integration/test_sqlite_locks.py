"""The locks of an SQLite file belong to the process, not to the connection."""

import asyncio
import subprocess
import sys
from pathlib import Path

from service.infra.database import Database
from service.infra.migrations import Migrator
from service.roles.models import Role

VISIT = (
    "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM roles').fetchall()"
)


async def test_a_process_that_comes_and_goes_takes_no_write_away(tmp_path: Path) -> None:
    """With our locks dropped it would be the last one out, and delete the log under us."""
    path = tmp_path / "arcana.db"
    database = Database(f"sqlite://{path}")
    await Migrator(database).up()
    await database.connect()
    try:
        await Role.create(name="before")
        visitor = [sys.executable, "-c", VISIT, str(path)]
        await asyncio.to_thread(subprocess.run, visitor, check=True)
        assert path.with_name("arcana.db-wal").exists()
        await Role.create(name="after")
        assert {role.name for role in await Role.all()} == {"before", "after"}
        _, verdict = await database.client.execute_query("PRAGMA integrity_check")
        assert [tuple(row) for row in verdict] == [("ok",)]
    finally:
        await database.close()
