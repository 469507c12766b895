"""manage.py token: what a token says and whether it is good."""

import asyncio
import base64
import binascii
import json
import sys
from datetime import UTC, datetime

import click

from config.settings import Purpose, Settings, load
from service.app import Services, access_tokens_without_database
from service.commands.failures import fail
from service.commands.work import services_at_work
from service.core.access import SYSTEM
from service.core.errors import Unavailable
from service.keys.encoding import Unfit

INPUT_MAX = 64 * 1024
_TIMES = ("iat", "nbf", "exp")


@click.group()
def token() -> None:
    """Look into access tokens."""


@token.command()
def inspect() -> None:
    """Read an access token from standard input; say what it says, and whether it is good.

    Exits with 1 when it is not. Its signature is never shown whole.
    """
    text = sys.stdin.read(INPUT_MAX).strip().removeprefix("Bearer ").strip()
    if not text:
        raise fail('There is no token on standard input: printf %s "$TOKEN" | … token inspect')
    _show(text)
    is_good, verdict = asyncio.run(_verdict(text, load(Purpose.TOOL)))
    click.echo(f"verdict    {verdict}")
    raise SystemExit(0 if is_good else 1)


def _show(text: str) -> None:
    """What the parts say, whoever signed them."""
    header, *rest = text.split(".")
    click.echo(f"header     {_json(header)}")
    claims = _json(rest[0]) if rest else "none"
    click.echo(f"claims     {claims}")
    for name, seconds in _times(claims):
        click.echo(
            f"           {name} is {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
        )
    seal = rest[1] if len(rest) > 1 else ""
    click.echo(f"signature  {seal[: min(6, len(seal) // 4)]}… ({len(seal)} characters)")


def _json(part: str) -> str:
    """A part in plain ASCII, so that nothing in it reaches the terminal as itself."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        return json.dumps(json.loads(raw))
    except (binascii.Error, ValueError, RecursionError):
        return "unreadable"


def _times(claims: str) -> list[tuple[str, int]]:
    try:
        said = json.loads(claims)
    except ValueError:
        return []
    times = ((name, said.get(name)) for name in _TIMES) if isinstance(said, dict) else ()
    return [(name, value) for name, value in times if type(value) is int and 0 < value < 2**37]


async def _verdict(text: str, settings: Settings) -> tuple[bool, str]:
    """Whether the token is good, and in words; as well as it can be told without a database."""
    try:
        async with services_at_work() as services:
            return await _known(text, services)
    except (Unavailable, click.ClickException) as failure:
        why = failure.message if isinstance(failure, click.ClickException) else "no answer"
    try:
        await access_tokens_without_database(settings).examine(text)
    except Unfit as fault:
        return False, f"refused: {fault}"
    except Unavailable:
        return False, f"not known: its key is in the database, which can't be asked ({why})"
    return True, f"good, unless its session has ended: the database can't be asked ({why})"


async def _known(text: str, services: Services) -> tuple[bool, str]:
    """Raises: Unavailable."""
    try:
        await services.access_tokens.examine(text)
    except Unfit as fault:
        return False, f"refused: {fault}"
    found = await services.auth.introspect(SYSTEM, {"token": text})
    if found.active:
        return True, "good: its session is alive"
    return False, "refused: its session has ended, or its user's roles or status have changed"
