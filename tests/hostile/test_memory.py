"""What callers send, however much, never makes the service large."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import pytest_asyncio

from tests.support.attacks import API, request
from tests.support.databases import fresh_database
from tests.support.raw_http import Wire, wire
from tests.support.served import Served, served

MIB = 2**20
pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(scope="module", name="service")
async def running_service() -> AsyncIterator[Served]:
    with fresh_database("sqlite") as url:
        async with served(url) as service:
            yield service


class Scales:
    """Weighs the worker, at its heaviest since the begin."""

    def __init__(self, service: Served) -> None:
        (pid,) = service.workers
        self._worker = psutil.Process(pid)
        self._before = self.heaviest = self._now()

    def _now(self) -> int:
        return int(self._worker.memory_info().rss)

    def look(self) -> None:
        self.heaviest = max(self.heaviest, self._now())

    @property
    def grown(self) -> float:
        """MiB."""
        return (self.heaviest - self._before) / MIB


async def pour(connection: Wire, piece: bytes, times: int, scales: Scales) -> None:
    """Send without caring for the answer, as a caller that only wants to do harm."""
    for _ in range(times):
        await connection.send(piece)
        scales.look()


@pytest.mark.parametrize("how", ["length", "chunks", "one chunk", "no length"])
async def test_ninety_megabytes_are_refused_and_leave_no_trace(service: Served, how: str) -> None:
    field, before = {
        "length": (b"Content-Length: %d" % (90 * MIB), b""),
        "chunks": (b"Transfer-Encoding: chunked", b""),
        "one chunk": (b"Transfer-Encoding: chunked", b"5a00000\r\n"),
        "no length": (b"X: a", b""),
    }[how]
    piece = b"x" * MIB
    piece = b"100000\r\n" + piece + b"\r\n" if how == "chunks" else piece
    head = request(b"POST", API + b"/auth/login", b"Content-Type: application/json", field)
    scales = Scales(service)
    async with wire(service.http_port) as connection:
        await connection.send(head + before)
        pouring = asyncio.create_task(pour(connection, piece, 90, scales))
        first, *rest = await connection.answers_to_the_end()
        await pouring
    assert [first.status, *(one.status for one in rest)] == (
        [400, 413] if how == "no length" else [413]
    )
    assert scales.grown < 20


async def test_a_bomb_is_not_unpacked(service: Served) -> None:
    bomb = gzip.compress(b"0" * (500 * MIB), 9)
    assert len(bomb) < MIB
    attack = request(b"POST", API + b"/auth/login", b"Content-Encoding: gzip", body=bomb)
    scales = Scales(service)
    async with wire(service.http_port) as connection:
        await connection.send(attack)
        assert (await connection.answer()).status == 415
        scales.look()
    assert scales.grown < 20
