"""manage.py run and serve: the service itself."""

import asyncio
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import get_args

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
from service.server import Which, open_doors, open_metrics, taken_doors
from service.server import serve as serve_doors
from service.server import work as work_behind

FIRST_ADMIN = "admin@example.com"


@click.command()
def run() -> None:
    """Development: migrate the database, make the first admin, and serve both doors."""
    _heed_sigterm()
    settings = load(Purpose.RUN)
    with open_doors(settings) as doors:
        asyncio.run(_migrate(settings))
        made = asyncio.run(_first_start(settings, generate=True))
        _welcome(settings, made)
        logs.configure(settings.log_format, settings.log_level)
        raise SystemExit(serve_doors(settings, Purpose.RUN, doors))


@click.command()
@click.option(
    "--doors",
    "which",
    type=click.Choice(get_args(Which)),
    default="both",
    show_default=True,
    help="Which doors this process opens, so that each can be scaled by itself.",
)
@click.option(
    "--take-over",
    is_flag=True,
    help="Take the doors of the service that runs here, and send it away once this one serves.",
)
def serve(which: Which, take_over: bool) -> None:
    """Production: serve both doors, or one. Never migrates; see 'migrate up'."""
    _heed_sigterm()
    settings = load(Purpose.SERVE)
    with ExitStack() as held:
        send_away: Callable[[], None] | None = None
        if take_over:
            doors, line = held.enter_context(taken_doors(settings, which))
            send_away = line.let_leave
        else:
            doors = held.enter_context(open_doors(settings, which))
        asyncio.run(refuse_behind(settings))
        asyncio.run(_first_start(settings, generate=False))
        logs.configure(settings.log_format, settings.log_level)
        code = serve_doors(settings, Purpose.SERVE, doors, when_ready=send_away)
    raise SystemExit(code)


@click.command()
def worker() -> None:
    """Production: tell others what happened, and tidy up; no door. Never migrates.

    It relays events to whoever the settings name (docs/events.md) and does the chores. Start two:
    one works, the other takes over within some 15 seconds of its death.
    """
    _heed_sigterm()
    settings = load(Purpose.SERVE)
    with open_metrics(settings) as metrics:
        asyncio.run(refuse_behind(settings))
        logs.configure(settings.log_format, settings.log_level)
        code = work_behind(metrics)
    raise SystemExit(code)


def _heed_sigterm() -> None:
    """End on SIGTERM also before there is anything to drain.

    The kernel does not do it for the first process of a container.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


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
    if settings.mail_folder and not settings.smtp_url:
        click.echo(f"Mail   {settings.mail_folder}/*.eml")
    if made:
        email, password = made
        click.echo(f"Admin  {email}")
        if password:
            click.echo(f"       password {password}  (shown this once)")
