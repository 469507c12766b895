"""The root of the command line: its groups, and how a failure ends."""

import click

from config import logging as logs
from config.settings import SettingsError
from service.commands import documents, migrate, serving, users
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
    migrate.migrate,
    users.user,
    documents.openapi,
    documents.protos,
):
    cli.add_command(command)


def main() -> None:
    """Run a command; a failure that somebody can mend is one clear line and a non-zero exit."""
    try:
        cli(prog_name="manage.py")
    except SettingsError as error:
        raise SystemExit(f"{error}") from None
    except UnreadableUrl as error:
        raise SystemExit(f"DATABASE_URL: {error}") from None
    except DatabaseUnavailable as error:
        raise SystemExit(f"DATABASE_URL: the database cannot be reached ({error.reason})") from None
    except Refusal as refusal:
        raise SystemExit(one_line(refusal)) from None
