"""manage.py migrate: the schema's history."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from config.settings import Purpose, load
from service.commands.failures import fail
from service.infra.database import Database
from service.infra.migrations import MigrationError, Migrator

T = TypeVar("T")
REACHED_WITHIN = 15.0
"""Seconds for one connection: a resolver that misses a question is asked again after 5."""


@click.group()
def migrate() -> None:
    """Bring the database's schema up to date, or back."""


@migrate.command()
def up() -> None:
    """Apply every pending migration; of two that do so at once, one waits for the other."""
    done = _run(_migrator().up(progress=click.echo))
    click.echo(f"The schema is up to date; {len(done)} applied." if done else "Nothing to apply.")


@migrate.command()
@click.option("--steps", type=click.IntRange(1), default=1, show_default=True)
def down(steps: int) -> None:
    """Take back the newest migration, and the data that only it had room for."""
    done = _run(_migrator().down(steps, progress=click.echo))
    click.echo(f"{len(done)} taken back.")


@migrate.command()
@click.argument("name")
def make(name: str) -> None:
    """Write the migration from the last one to the models, for all three databases."""
    click.echo(f"Wrote {_run(_migrator().make(name))}: read it before you commit it.")


@migrate.command()
def status() -> None:
    """List every migration, applied or pending; exit code 1 while any is pending."""
    found = _run(_migrator().status())
    for mark, names in (
        ("applied", found.applied),
        ("pending", found.pending),
    ):
        for name in names:
            click.echo(f"{mark}  {name}{' (of a newer release)' * (name in found.unknown)}")
    if found.pending:
        raise SystemExit(1)


@migrate.command()
def check() -> None:
    """Fail when models and migrations disagree; no database is asked."""
    if differences := _run(_migrator().check()):
        raise fail(f"Models and migrations disagree; see 'migrate make':\n{differences}")
    click.echo("Models and migrations agree.")


def _migrator() -> Migrator:
    settings = load(Purpose.TOOL)
    database = Database(
        settings.database_url, pool_size=settings.db_pool_size, connect_timeout=REACHED_WITHIN
    )
    return Migrator(database)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Raises: click.ClickException, with what the migration says of its failure."""
    try:
        return asyncio.run(work)
    except MigrationError as error:
        raise fail(str(error)) from None
