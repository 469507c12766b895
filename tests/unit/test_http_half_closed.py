"""Callers that close their side are answered what they asked for, and the connection ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from service.transport.http.limits import HttpLimits
from tests.support.framings import CHUNKED, get, post
from tests.support.raw_http import wire
from tests.unit.test_http_time_outs import HALF_BODY, HALF_CHUNK, nobody_is_left, opened

Run = Callable[[Awaitable[None]], None]


@pytest.fixture(name="run", params=[asyncio.new_event_loop, uvloop.new_event_loop])
def each_loop(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine in asyncio's loop, and in the one of ``serve``."""

    def run(work: Awaitable[None]) -> None:
        async def within() -> None:
            await work

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(within())

    return run


WHOLE = {
    "bare": (get(), [200]),
    "thirty": (get() * 30, [200] * 30),
    "a body": (post(b"Content-Length: 5", b"hello"), [200]),
    "chunks": (post(CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"), [200]),
    "not found": (get(line=b"GET /nowhere HTTP/1.1"), [404]),
    "a large answer": (get(line=b"GET /big HTTP/1.1"), [200]),
    "nonsense": (b"nonsense\r\n\r\n", [400]),
}
PARTS = {
    "nothing": (b"", []),
    "half a head": (b"GET /echo HTTP/1.1\r\nHost", []),
    "half a body": (HALF_BODY, []),
    "half a chunk": (HALF_CHUNK, []),
    "one and a half": (get() + b"GET /ec", [200]),
    "half a body to no address": (HALF_BODY.replace(b"/echo", b"/nowhere"), [404]),
}


async def _statuses(port: int, before: bytes, data: bytes) -> list[int]:
    """What is answered to ``data`` and a half-close; its end comes without a time-out."""
    async with wire(port) as connection:
        if before:
            await connection.send(before)
            assert (await connection.answer()).status == 200
        await connection.send(data)
        connection.half_close()
        async with asyncio.timeout(5):
            return [answer.status for answer in await connection.answers_to_the_end()]


@pytest.mark.parametrize("before", [b"", get()], ids=["first", "later"])
@pytest.mark.parametrize("cases", [WHOLE, PARTS], ids=["whole", "in part"])
def test_what_came_whole_is_answered_and_the_rest_dropped(
    run: Run, cases: dict[str, tuple[bytes, list[int]]], before: bytes
) -> None:
    async def work() -> None:
        async with opened(HttpLimits()) as (door, port):
            for name, (data, statuses) in cases.items():
                assert await _statuses(port, before, data) == statuses, name
                await nobody_is_left(door)
                assert door.app.ctx.http_bodies.held == 0, name

    run(work())


def test_a_slow_answer_is_waited_for_a_while_and_no_longer(run: Run) -> None:
    async def work() -> None:
        limits = HttpLimits(half_closed_seconds=0.4)
        async with opened(limits) as (door, port), wire(port) as connection:
            await connection.send(get(line=b"GET /never HTTP/1.1"))
            await asyncio.sleep(0.2)
            connection.half_close()
            await asyncio.sleep(0.2)
            assert door.app.ctx.in_flight == 1
            async with asyncio.timeout(3):
                assert await connection.ends()
                await nobody_is_left(door)
            assert door.app.ctx.in_flight == 0

    run(work())


def test_who_closes_its_side_and_does_not_read_is_cut_off(run: Run) -> None:
    async def work() -> None:
        async with opened(HttpLimits(write_seconds=0.4)) as (door, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # StreamReader's own
            writer.write(get(line=b"GET /big HTTP/1.1"))
            writer.write_eof()
            async with asyncio.timeout(5):
                await asyncio.sleep(0.1)
                await nobody_is_left(door)
            writer.transport.abort()

    run(work())
