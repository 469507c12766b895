"""What commands work with: the services, over a database that is up to date."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import Purpose, Settings, load
from service.app import Services, services_alone
from service.commands.failures import fail
from service.core.access import SYSTEM
from service.infra.database import Database
from service.infra.migrations import Migrator


@asynccontextmanager
async def services_at_work() -> AsyncIterator[Services]:
    """Every service, for one command.

    Raises:
        click.ClickException: the database lacks migrations.
        Unavailable: the database cannot be reached.
    """
    settings = load(Purpose.TOOL)
    await refuse_behind(settings)
    async with services_alone(settings) as services:
        await services.roles.make_built_in(SYSTEM)
        yield services


async def refuse_behind(settings: Settings) -> None:
    """Raises: click.ClickException, when the database lacks migrations."""
    pending = await Migrator(Database(settings.database_url)).pending()
    if pending:
        count = "a migration" if len(pending) == 1 else f"{len(pending)} migrations"
        raise fail(f"The database lacks {count}: run 'manage.py migrate up' first.")
