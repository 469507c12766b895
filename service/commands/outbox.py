"""manage.py outbox: events that wait for their sinks, and those that were given up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import click

from service.commands.failures import fail
from service.commands.work import services_at_work
from service.core.events import TYPE_PREFIX
from service.events.repository import Backlog, EventRepository, Parked

T = TypeVar("T")
Row = tuple[str, ...]
SHOWN = 1000
"""Dead events that are listed at most."""
POSITION_MAX = 2**63 - 1
"""What a column of the databases holds."""
_SINKS = ("SINK", "BEHIND", "WAITING", "DEAD", "FAILURES", "OLDEST", "RESTS UNTIL", "LAST ERROR")
_DEAD = ("SINK", "POSITION", "ID", "TYPE", "SUBJECT", "TRIES", "ERROR")
_TO_THE_RIGHT = {"BEHIND", "WAITING", "DEAD", "FAILURES", "POSITION", "TRIES"}


@click.group()
def outbox() -> None:
    """See which events wait for whom, and have those tried again that were given up."""


@outbox.command("list")
@click.option("--dead", is_flag=True, help="List the events that were given up, one a line.")
def list_(dead: bool) -> None:
    """Print how far behind each sink is.

    BEHIND are events that it has not come to yet, WAITING those that it refused and is to be told
    again, with what waits behind them, DEAD those given up. FAILURES are refusals in a row. OLDEST
    is how long ago the first of them happened that it has yet to be told.
    """
    if dead:
        _print_dead(_work(lambda events: events.dead(size=SHOWN)))
        return
    found = _work(lambda events: events.backlog())
    if not found:
        click.echo("No sinks yet: the first worker that relays notes them.")
        return
    now = datetime.now(UTC)
    _print_table(_SINKS, [_sink(each, now) for each in found])


@outbox.command()
@click.argument("sink")
@click.option(
    "--position",
    type=click.IntRange(1, POSITION_MAX),
    help="Only the event at this position; see list --dead.",
)
@click.option("--now", is_flag=True, help="Instead, try at once what waits for a later try.")
def retry(sink: str, position: int | None, now: bool) -> None:
    """Have SINK told again of its dead events, after all that it was told meanwhile.

    With --now: of what waits for its next try, and let a sink that rests do so no longer.
    """
    if now and position is not None:
        raise click.UsageError("--position and --now don't go together.")

    async def work(events: EventRepository) -> int:
        await _known(events, sink)
        return await (events.hurry(sink) if now else events.retry(sink, position))

    count = _work(work)
    if position is not None and not count:
        raise fail(f"{sink} has no dead event at position {position}: see 'outbox list --dead'.")
    click.echo(f"{_events(count)} of {sink} {_are(count)} due now.")


@outbox.command()
@click.argument("sink", required=False)
@click.option("--dead", is_flag=True, required=True, help="Say that you mean it.")
def purge(sink: str | None, dead: bool) -> None:
    """Forget the dead events of SINK, or of all: nobody is ever told of them."""

    async def work(events: EventRepository) -> int:
        if sink:
            await _known(events, sink)
        return await events.drop_dead(sink)

    count = _work(work)
    click.echo(f"{_events(count)} {_are(count)} forgotten.")


@outbox.command()
@click.argument("sink")
@click.option("--yes", is_flag=True, help="Go on without being asked.")
def forget(sink: str, yes: bool) -> None:
    """Forget SINK, one that the settings name no more, and all that waits for it.

    As long as it is known, events are kept for it. Should it come back, it begins with what
    happens then.
    """

    if not yes:
        _work(lambda events: _known(events, sink))
        click.confirm("It will never be told of what it has not been told. Go on?", abort=True)

    async def work() -> None:
        async with services_at_work() as services:
            await _known(services.events, sink)
            if sink in [each.name for each in await services.sinks().all()]:
                raise fail(f"{sink} is still in use: take it out of the settings first.")
            await services.events.forget_sink(sink)

    asyncio.run(work())
    click.echo(f"{sink} is forgotten.")


def _work(do: Callable[[EventRepository], Awaitable[T]]) -> T:
    async def work() -> T:
        async with services_at_work() as services:
            return await do(services.events)

    return asyncio.run(work())


async def _known(events: EventRepository, sink: str) -> None:
    """Raises: click.ClickException, when there is no such sink."""
    names = [each.sink for each in await events.backlog()]
    if sink not in names:
        known = f"the sinks are {', '.join(names)}" if names else "there is none yet"
        raise fail(f"No sink is called {sink}: {known}.")


def _print_dead(found: Sequence[tuple[str, Parked]]) -> None:
    if not found:
        click.echo("No event was given up.")
        return
    _print_table(_DEAD, [_dead(sink, parked) for sink, parked in found])
    if len(found) == SHOWN:
        click.echo(f"The first {SHOWN}; there may be more.")


def _sink(found: Backlog, now: datetime) -> Row:
    rests = found.resting_until if found.resting_until and found.resting_until > now else None
    return (
        found.sink,
        *map(str, (found.behind, found.waiting, found.dead, found.failures)),
        _ago(now, found.oldest) if found.oldest else "-",
        f"{rests.astimezone(UTC):%H:%M:%SZ}" if rests else "-",
        found.error or "-",
    )


def _dead(sink: str, parked: Parked) -> Row:
    told = parked.told
    name = TYPE_PREFIX + told.type
    tries, error = str(parked.attempts), parked.error or "-"
    return sink, str(told.position), str(told.id), name, told.subject, tries, error


def _ago(now: datetime, moment: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _print_table(head: Row, rows: Sequence[Row]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = (
            text.rjust(width) if name in _TO_THE_RIGHT else text.ljust(width)
            for name, text, width in zip(head, row, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
