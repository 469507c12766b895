"""manage.py user: accounts from the command line."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NoReturn

import click
from tqdm import tqdm

from service.app import Services
from service.commands.failures import fail, one_line
from service.commands.work import services_at_work
from service.core.access import SYSTEM
from service.core.ids import canonical
from service.core.text import normal_email
from service.users.errors import UserNotFound
from service.users.models import UserStatus
from service.users.schemas import UserView

BATCH = 500
LINE_MAX = 64 * 1024


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


@user.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--with-roles", is_flag=True, help="Take the roles in the file too.")
def import_(file: Path, with_roles: bool) -> None:
    """Import people from FILE: one JSON object a line (NDJSON).

    A line holds name, email and, if wanted, status, email_verified, password_hash, profile and
    roles. A hash may be argon2, bcrypt, scrypt, PBKDF2 or Firebase's; people without one can't log
    in until a reset. Refused lines are listed with their reasons and do not hold up the others;
    the exit code is 1 when there were any.
    """
    done, refused = asyncio.run(_import(file, with_roles))
    click.echo(f"Imported {done} people, refused {sum(refused.values())} lines.")
    for reason, count in refused.most_common():
        click.echo(f"  {count:>8} × {reason}")
    if refused:
        raise SystemExit(1)


async def _import(file: Path, with_roles: bool) -> tuple[int, Counter[str]]:
    done, refused = 0, Counter[str]()
    async with services_at_work() as services:
        with file.open("rb") as lines, _progress(file) as bar:
            numbered = enumerate(_lines(lines), start=1)
            while batch := list(islice(numbered, BATCH)):
                wanted = [(number, line) for number, line in batch if line.strip()]
                outcomes = await services.imports.import_batch(
                    SYSTEM, [line for _, line in wanted], with_roles=with_roles
                )
                for (number, _), outcome in zip(wanted, outcomes, strict=True):
                    if outcome is None:
                        done += 1
                        continue
                    reason = one_line(outcome)
                    refused[reason] += 1
                    tqdm.write(f"{file}:{number}: {reason}", file=sys.stderr)
                bar.update(sum(len(line) for _, line in batch))
    return done, refused


def _progress(file: Path) -> "tqdm[NoReturn]":
    size = file.stat().st_size
    return tqdm(total=size, unit="B", unit_scale=True, desc="import", mininterval=0.5)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; one longer than ``LINE_MAX`` bytes comes in parts, all refused."""
    return iter(lambda: file.readline(LINE_MAX), b"")
