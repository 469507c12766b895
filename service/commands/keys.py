"""manage.py keys: the keys that sign access tokens."""

import asyncio
from datetime import UTC, datetime

import click

from service.commands.work import services_at_work
from service.core.access import SYSTEM
from service.keys.http import MAX_AGE
from service.keys.locksmith import Rotation
from service.keys.schemas import KeyView

_HEAD = ("KEY", "ALGORITHM", "STATE", "SINCE", "UNTIL")


@click.group()
def keys() -> None:
    """List, rotate and retire the keys that sign access tokens."""


@keys.command("list")
def list_() -> None:
    """Print every key: which signs, which is published to sign next, which only verify still."""

    async def work() -> list[KeyView]:
        async with services_at_work() as services:
            return await services.keys.list(SYSTEM)

    found = asyncio.run(work())
    if not found:
        click.echo("No keys yet: the first worker that starts makes them.")
        return
    lines = [_HEAD, *map(_line, found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    for line in lines:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())
    if not all(key.opens for key in found):
        click.echo("* can't be opened with the JWT_SECRET of this command")


@keys.command()
def rotate() -> None:
    """Have the next key sign, on every worker within 5 seconds; older tokens stay good."""

    async def work() -> Rotation:
        async with services_at_work() as services:
            return await services.keys.rotate(SYSTEM)

    done = asyncio.run(work())
    click.echo(f"{done.signing} ({done.algorithm}) signs now.")
    click.echo(f"{done.old} is good for older tokens until {_instant(done.old_until)}.")
    click.echo(f"{done.following} is published, and signs after the next rotation.")
    age = datetime.now(UTC) - done.announced_at
    if done.algorithm != "HS256" and age < MAX_AGE:
        seconds = int(MAX_AGE.total_seconds())
        click.echo(
            f"Note: verifiers may keep the key set for {seconds} s, and this key was published"
            f" {max(0, int(age.total_seconds()))} s ago: those that don't look again for a key"
            " they don't know will refuse new tokens for a while."
        )


# Of the names of keys one in 64 begins with "-", and is no option.
@keys.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("kid")
def retire(kid: str) -> None:
    """End the key KID at once: every worker refuses what it signed within 5 seconds."""

    async def work() -> None:
        async with services_at_work() as services:
            await services.keys.retire(SYSTEM, kid)

    asyncio.run(work())
    click.echo(f"{kid} is retired: tokens that it signed are good no longer.")


def _line(key: KeyView) -> tuple[str, ...]:
    since, until = key.signs_from or key.created_at, key.expires_at
    is_over = key.state == "retired" or until is None
    return (
        key.kid + " *" * (not key.opens),
        key.algorithm,
        key.state.value,
        _instant(since),
        "-" if is_over or until is None else _instant(until),
    )


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
