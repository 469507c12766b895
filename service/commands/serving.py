"""manage.py run and serve: the service itself."""

import asyncio
import secrets

import click

from config import logging as logs
from config.settings import Purpose, Settings, load
from service.app import services_alone
from service.commands.failures import fail, one_line
from service.commands.work import refuse_behind
from service.core.access import SYSTEM
from service.core.errors import Invalid
from service.infra.database import Database
from service.infra.migrations import MigrationError, Migrator
from service.server import open_doors
from service.server import serve as serve_doors

FIRST_ADMIN = "admin@example.com"


@click.command()
def run() -> None:
    """Development: migrate the database, make the first admin, and serve both doors."""
    settings = load(Purpose.RUN)
    with open_doors(settings) as doors:
        asyncio.run(_migrate(settings))
        made = asyncio.run(_first_start(settings, generate=True))
        _welcome(settings, made)
        logs.configure(settings.log_format, settings.log_level)
        raise SystemExit(serve_doors(settings, Purpose.RUN, doors))


@click.command()
def serve() -> None:
    """Production: serve both doors. Never migrates; see 'migrate up'."""
    settings = load(Purpose.SERVE)
    with open_doors(settings) as doors:
        asyncio.run(refuse_behind(settings))
        asyncio.run(_first_start(settings, generate=False))
        logs.configure(settings.log_format, settings.log_level)
        raise SystemExit(serve_doors(settings, Purpose.SERVE, doors))


async def _migrate(settings: Settings) -> None:
    """Raises: click.ClickException, when a migration fails."""
    try:
        await Migrator(Database(settings.database_url)).up(progress=click.echo)
    except MigrationError as error:
        raise fail(str(error)) from None


async def _first_start(settings: Settings, *, generate: bool) -> tuple[str, str] | None:
    """Make the built-in roles and, where there is none, an admin: its e-mail and password."""
    email = settings.admin_email or (FIRST_ADMIN if generate else None)
    given = settings.admin_password
    password = given.get_secret_value() if given else secrets.token_urlsafe(15)
    async with services_alone(settings) as services:
        await services.roles.make_built_in(SYSTEM)
        if email is None:
            return None
        raw = {"name": "Admin", "email": email, "password": password}
        try:
            made = await services.users.make_first_admin(SYSTEM, raw)
        except Invalid as refusal:
            raise fail(f"ADMIN_EMAIL, ADMIN_PASSWORD: {one_line(refusal)}") from None
    return (email, "" if given else password) if made else None


def _welcome(settings: Settings, made: tuple[str, str] | None) -> None:
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    click.echo(f"REST   http://{host}:{settings.http_port}/docs")
    click.echo(f"gRPC   {host}:{settings.grpc_port}  (plaintext, with server reflection)")
    if made:
        email, password = made
        click.echo(f"Admin  {email}")
        if password:
            click.echo(f"       password {password}  (shown this once)")
