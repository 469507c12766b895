"""manage.py user: accounts from the command line."""

import asyncio
import sys

import click

from service.app import Services
from service.commands.failures import fail
from service.commands.transfer import export, import_
from service.commands.work import services_at_work
from service.core.access import SYSTEM
from service.core.ids import canonical
from service.core.text import normal_email
from service.users.errors import UserNotFound
from service.users.models import UserStatus
from service.users.schemas import UserView


@click.group()
def user() -> None:
    """Create, list, import and change users."""


@user.command()
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", "roles", multiple=True, help="A role to grant besides 'user'; repeatable.")
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from stdin.")
def create(email: str, name: str, roles: tuple[str, ...], password_stdin: bool) -> None:
    """Create an account that can log in at once."""
    password = sys.stdin.readline().rstrip("\r\n")

    async def work() -> UserView:
        async with services_at_work() as services:
            known = {role.name for role in (await services.roles.list(SYSTEM)).data}
            if missing := set(roles) - known:
                raise fail(f"No such role: {', '.join(sorted(missing))}. Known: {sorted(known)}.")
            raw = {"name": name, "email": email, "password": password}
            view = await services.users.create(SYSTEM, raw)
            for role in roles:
                await services.roles.grant(SYSTEM, view.id, role)
            return view

    view = asyncio.run(work())
    click.echo(f"Created {view.email} with id {view.id}.")


@user.command("list")
@click.option("--status", type=click.Choice([s.value for s in UserStatus]))
@click.option("--search", "q", default="", help="A part of a name or an e-mail.")
def list_(status: str | None, q: str) -> None:
    """Print every matching user, one JSON object a line."""

    async def work() -> None:
        async with services_at_work() as services:
            async for view in services.users.stream(SYSTEM, {"status": status, "q": q}):
                click.echo(view.model_dump_json())

    asyncio.run(work())


@user.command("set-status")
@click.argument("who")
@click.argument("status", type=click.Choice([s.value for s in UserStatus]))
def set_status(who: str, status: str) -> None:
    """Make WHO (an e-mail or an id) active, inactive or suspended."""

    async def work() -> UserView:
        async with services_at_work() as services:
            found = await _find(services, who)
            return await services.users.set_status(SYSTEM, found.id, {"status": status})

    view = asyncio.run(work())
    click.echo(f"{view.email} is {view.status.value}.")


@user.command("set-role")
@click.argument("who")
@click.argument("role")
@click.option("--remove", is_flag=True, help="Take the role instead of giving it.")
def set_role(who: str, role: str, remove: bool) -> None:
    """Give WHO (an e-mail or an id) a ROLE, or take it."""

    async def work() -> UserView:
        async with services_at_work() as services:
            found = await _find(services, who)
            change = services.roles.revoke if remove else services.roles.grant
            await change(SYSTEM, found.id, role)
            return await services.users.get(SYSTEM, found.id)

    view = asyncio.run(work())
    click.echo(f"{view.email} has the roles: {', '.join(view.roles) or 'none'}.")


async def _find(services: Services, who: str) -> UserView:
    if canonical(who):
        return await services.users.get(SYSTEM, who)
    try:
        email = normal_email(who)
    except ValueError as fault:
        raise fail(f"WHO: {fault}") from None
    found = await services.users.find_by_email(SYSTEM, email)
    if found is None:
        raise UserNotFound
    return found


user.add_command(import_)
user.add_command(export)
