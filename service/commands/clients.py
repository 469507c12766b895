"""manage.py client: service accounts from the command line."""

import asyncio

import click

from service.clients.schemas import NewClientSecretView
from service.commands.work import services_at_work
from service.core.access import SYSTEM


@click.group()
def client() -> None:
    """Make service accounts, for machines that log in by client credentials."""


@client.command()
@click.option("--name", required=True)
@click.option("--email", help="Where its owners get mail; without it, the account gets none.")
def create(name: str, email: str | None) -> None:
    """Create a service account, and print its id and first secret, this once."""

    async def work() -> NewClientSecretView:
        async with services_at_work() as services:
            return await services.clients.enrol(SYSTEM, {"name": name, "email": email})

    made = asyncio.run(work())
    click.echo(f"client_id={made.client_id}")
    click.echo(f"client_secret={made.client_secret}")
