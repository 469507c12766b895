"""``manage.py outbox``: what waits is seen, tried again, and forgotten."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from service.core.clock import utc_now
from service.core.events import Event
from service.events.models import DeliveryState
from service.events.repository import EventRepository, Parked, Progress
from service.infra.database import Database
from service.infra.outbox import Outbox
from tests.support.databases import Backend, clear, fresh_database
from tests.support.processes import SECRET, manage


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest_asyncio.fixture
async def events(url: str) -> AsyncIterator[EventRepository]:
    """Three sinks: one told of all, one behind, one that refused the first and gave up the last."""
    database = Database(url)
    await database.connect()
    await clear(database)
    events = EventRepository()
    for name in ("redis", "mail", "webhook:7"):
        await events.progress(name)
    async with database.transaction():
        await Outbox().publish(*(Event("thing.done", f"things/{n}", {}) for n in range(1, 4)))
    async with database.transaction():
        await events.place()
    told = await events.after(0, 10)
    at = utc_now()
    await events.save(Progress("redis", 3))
    await events.save(Progress("webhook:7", 3, failures=2, error="HTTP 500"))
    await events.park(
        "webhook:7",
        [
            Parked(told[0], 2, DeliveryState.WAITING, at.replace(year=at.year + 1), "HTTP 500"),
            Parked(told[2], 13, DeliveryState.DEAD, at, "HTTP 410"),
        ],
    )
    yield events
    await database.close()


async def run(url: str, folder: Path, *words: str) -> tuple[int, str, str]:
    settings = {"DATABASE_URL": url, "JWT_SECRET": SECRET}
    done = await asyncio.to_thread(manage, folder, "outbox", *words, **settings)
    return done.returncode, done.stdout, done.stderr


async def listed(url: str, folder: Path) -> dict[str, list[str]]:
    """The table's numbers, by sink."""
    code, said, _ = await run(url, folder, "list")
    assert code == 0
    head, *rows = (line.split() for line in said.splitlines())
    assert head[:5] == ["SINK", "BEHIND", "WAITING", "DEAD", "FAILURES"]
    return {row[0]: row[1:5] for row in rows}


async def test_list_tells_what_each_sink_has_yet_to_be_told(
    events: EventRepository, url: str, tmp_path: Path
) -> None:
    assert await listed(url, tmp_path) == {
        "mail": ["3", "0", "0", "0"],
        "redis": ["0", "0", "0", "0"],
        "webhook:7": ["0", "1", "1", "2"],
    }
    _, said, _ = await run(url, tmp_path, "list")
    assert said.rstrip().endswith("HTTP 500")


@pytest.mark.one_database
async def test_list_dead_tells_each_event_and_retry_has_it_told_again(
    events: EventRepository, url: str, tmp_path: Path
) -> None:
    code, said, _ = await run(url, tmp_path, "list", "--dead")
    assert code == 0
    _, row = said.splitlines()
    sink, position, id_, type_, subject, tries, *error = row.split()
    assert (sink, type_, subject) == ("webhook:7", "arcana.thing.done", "things/3")
    assert (tries, error) == ("13", ["HTTP", "410"])
    assert len(id_) == 36
    code, _, complaint = await run(url, tmp_path, "retry", "webhook:7", "--position", "1")
    assert code == 1
    assert "has no dead event at position 1" in complaint
    code, said, _ = await run(url, tmp_path, "retry", "webhook:7", "--position", position)
    assert (code, said) == (0, "1 event of webhook:7 is due now.\n")
    assert (await listed(url, tmp_path))["webhook:7"][1:3] == ["2", "0"]


@pytest.mark.one_database
async def test_retry_now_hurries_what_waits(
    events: EventRepository, url: str, tmp_path: Path
) -> None:
    assert await events.due("webhook:7", 10) == []
    code, said, _ = await run(url, tmp_path, "retry", "webhook:7", "--now")
    assert (code, said) == (0, "1 event of webhook:7 is due now.\n")
    assert await events.due("webhook:7", 10) == [""]
    code, _, complaint = await run(url, tmp_path, "retry", "mail", "--now", "--position", "1")
    assert code == 2
    assert "don't go together" in complaint


@pytest.mark.one_database
async def test_purge_forgets_the_dead_alone_and_only_when_meant(
    events: EventRepository, url: str, tmp_path: Path
) -> None:
    code, _, complaint = await run(url, tmp_path, "purge")
    assert code == 2
    assert "--dead" in complaint
    code, said, _ = await run(url, tmp_path, "purge", "redis", "--dead")
    assert (code, said) == (0, "0 events are forgotten.\n")
    code, said, _ = await run(url, tmp_path, "purge", "--dead")
    assert (code, said) == (0, "1 event is forgotten.\n")
    assert (await listed(url, tmp_path))["webhook:7"][1:3] == ["1", "0"]
    code, said, _ = await run(url, tmp_path, "list", "--dead")
    assert (code, said) == (0, "No event was given up.\n")


@pytest.mark.one_database
async def test_a_sink_that_is_no_more_is_forgotten_with_all_that_waits(
    events: EventRepository, url: str, tmp_path: Path
) -> None:
    code, said, _ = await run(url, tmp_path, "forget", "webhook:7", "--yes")
    assert (code, said) == (0, "webhook:7 is forgotten.\n")
    assert set(await listed(url, tmp_path)) == {"mail", "redis"}
    assert await events.parked() == []


@pytest.mark.one_database
async def test_a_sink_that_is_not_there_is_named_with_those_that_are(
    events: EventRepository, url: str, tmp_path: Path
) -> None:
    for words in (("retry", "x"), ("purge", "x", "--dead"), ("forget", "x", "--yes")):
        code, _, complaint = await run(url, tmp_path, *words)
        assert (code, complaint) == (
            1,
            "Error: No sink is called x: the sinks are mail, redis, webhook:7.\n",
        )


@pytest.mark.one_database
async def test_a_sink_in_use_is_not_forgotten(
    events: EventRepository, url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": url, "JWT_SECRET": SECRET, "EVENT_STREAM": "s"}
    settings["REDIS_URL"] = "redis://127.0.0.1:1"
    words = ("outbox", "forget", "redis", "--yes")
    done = await asyncio.to_thread(manage, tmp_path, *words, **settings)
    assert done.returncode == 1
    assert "still in use" in done.stderr


@pytest.mark.one_database
async def test_forget_asks_only_about_a_sink_that_is_there(
    events: EventRepository, url: str, tmp_path: Path
) -> None:
    code, said, complaint = await run(url, tmp_path, "forget", "x")
    assert (code, said) == (1, "")
    assert complaint == "Error: No sink is called x: the sinks are mail, redis, webhook:7.\n"
    code, said, _ = await run(url, tmp_path, "forget", "webhook:7")
    assert (code, "Go on? [y/N]" in said) == (1, True)
    assert "webhook:7" in await listed(url, tmp_path)


@pytest.mark.one_database
@pytest.mark.parametrize("position", ["0", "-1", "9223372036854775808", "9" * 23])
async def test_a_position_that_no_event_can_have_is_refused(
    events: EventRepository, url: str, tmp_path: Path, position: str
) -> None:
    code, _, complaint = await run(url, tmp_path, "retry", "mail", "--position", position)
    assert code == 2
    assert complaint.splitlines()[-1].startswith("Error: Invalid value for '--position'")
