"""The watch over a database server: one probe at a time, and nobody waits for nothing."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from service.infra.database import watch as watching
from service.infra.database.watch import Watch


class Server:
    """A server that answers, refuses or says nothing, and counts who asks."""

    def __init__(self) -> None:
        self.answers = True
        self.silent = False
        self.asked = self.asking = self.most_at_once = self.forgotten = 0

    async def probe(self) -> None:
        self.asked += 1
        self.asking += 1
        self.most_at_once = max(self.most_at_once, self.asking)
        try:
            await asyncio.sleep(60 if self.silent else 0.01)
            if not self.answers:
                raise ConnectionRefusedError
        finally:
            self.asking -= 1

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def server() -> Server:
    return Server()


@pytest_asyncio.fixture
async def watch(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watch]:
    monkeypatch.setattr(watching, "PAUSE", 0.02)
    watch = Watch(server.probe, server.forget, timeout=0.1)
    yield watch
    await watch.close()


async def away(watch: Watch) -> None:
    assert not await watch.answers(5)
    assert watch.is_away


async def test_a_suspicion_that_the_probe_does_not_share_closes_nothing(
    watch: Watch, server: Server
) -> None:
    watch.suspect()
    assert await watch.answers(5)
    assert not watch.is_away
    assert server.asked == 1


async def test_a_server_that_does_not_answer_the_probe_is_away_until_it_does(
    watch: Watch, server: Server
) -> None:
    server.answers = False
    await away(watch)
    server.answers = True
    async with asyncio.timeout(5):
        while watch.is_away:
            await asyncio.sleep(0.01)
    assert await watch.answers(5)


async def test_silence_is_no_answer(watch: Watch, server: Server) -> None:
    server.silent = True
    await away(watch)


async def test_however_many_ask_one_probe_runs_at_a_time(watch: Watch, server: Server) -> None:
    server.answers = False
    for _ in range(5):
        watch.suspect()
        watch.lost()
        await asyncio.gather(*(watch.answers(0.03) for _ in range(50)))
    assert server.most_at_once == 1


async def test_who_was_answered_a_moment_ago_is_not_asked_again(
    watch: Watch, server: Server
) -> None:
    watch.seen()
    assert await watch.answers(5)
    assert server.asked == 0


async def test_an_answer_to_somebody_else_outweighs_a_probe_that_failed(
    watch: Watch, server: Server
) -> None:
    server.silent = True
    watch.suspect()
    await asyncio.sleep(0.02)
    watch.seen()  # a server whose connections are all taken refuses probes and serves
    assert await watch.answers(5)
    assert not watch.is_away


async def test_asking_takes_no_longer_than_the_asker_has(watch: Watch, server: Server) -> None:
    server.silent = True
    began = time.monotonic()
    assert not await watch.answers(0.03)
    assert time.monotonic() - began < 5


async def test_connections_at_rest_are_dropped_when_one_breaks_and_when_the_server_returns(
    watch: Watch, server: Server
) -> None:
    server.answers = False
    watch.lost()
    assert server.forgotten == 1
    await away(watch)
    server.answers = True
    async with asyncio.timeout(5):
        while watch.is_away:
            await asyncio.sleep(0.01)
    assert server.forgotten == 3


async def test_a_closed_watch_probes_no_more(watch: Watch, server: Server) -> None:
    server.answers = False
    await away(watch)
    await watch.close()
    asked = server.asked
    await asyncio.sleep(0.1)
    assert server.asked == asked
