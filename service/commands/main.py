"""The root of the command line: its groups, and how a failure ends."""

import signal
from types import FrameType

import click

from config import logging as logs
from config.settings import SettingsError
from service.commands import (
    clients,
    documents,
    keys,
    migrate,
    new,
    outbox,
    reloading,
    serving,
    sync,
    tokens,
    users,
)
from service.commands.failures import one_line
from service.core.errors import Refusal
from service.infra.database import DatabaseUnavailable, UnreadableUrl


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Arcana: users and log-in over REST and gRPC, from one set of services."""
    logs.configure("text", "error")


for command in (
    serving.run,
    serving.serve,
    serving.worker,
    reloading.reload,
    migrate.migrate,
    new.new,
    users.user,
    clients.client,
    keys.keys,
    outbox.outbox,
    tokens.token,
    sync.sync,
    documents.openapi,
    documents.protos,
):
    cli.add_command(command)


def main() -> None:
    """Run a command; a failure that somebody can mend is one clear line and a non-zero exit."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        cli(prog_name="manage.py")
    except SettingsError as error:
        raise SystemExit(f"{error}") from None
    except UnreadableUrl as error:
        raise SystemExit(f"DATABASE_URL: {error}") from None
    except DatabaseUnavailable as error:
        raise SystemExit(f"DATABASE_URL: the database cannot be reached ({error.reason})") from None
    except Refusal as refusal:
        raise SystemExit(f"Error: {one_line(refusal)}") from None


def _leave(number: int, frame: FrameType | None) -> None:
    """End in order. The kernel keeps SIGTERM's default from process 1, as we are in a container."""
    raise SystemExit(128 + number)
