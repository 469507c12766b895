"""Callers that take their time, or never come to an end, are let go of; others never notice."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sanic.response import HTTPResponse

from service.transport.http.limits import HttpLimits
from service.transport.http.requests import Request
from tests.support.framings import CHUNKED, get, post
from tests.support.http_door import Door
from tests.support.raw_http import Wire, wire

QUICK = HttpLimits(
    head_seconds=0.4,
    body_seconds=0.4,
    response_seconds=0.8,
    keep_alive_seconds=0.4,
    write_seconds=0.4,
)
PATIENT = HttpLimits(connections=5)
HALF_BODY = post(b"Content-Length: 100", b"hello")
HALF_CHUNK = post(CHUNKED, b"5\r\nhel")
BIG = b"x" * 2**24


@asynccontextmanager
async def opened(limits: HttpLimits) -> AsyncIterator[tuple[Door, int]]:
    """A door with three more routes: one answers, one never does, one says a lot."""
    door = Door(limits=limits)

    async def echo(request: Request) -> HTTPResponse:
        return HTTPResponse(request.body)

    async def never(request: Request) -> HTTPResponse:
        await asyncio.sleep(600)
        raise AssertionError

    async def big(request: Request) -> HTTPResponse:
        return HTTPResponse(BIG)

    door.app.add_route(echo, "/echo", ["GET", "POST"], name="echo")
    door.app.add_route(never, "/never", ["GET", "POST"], name="never")
    door.app.add_route(big, "/big", ["GET"], name="big")
    async with door.served() as port:
        yield door, port


async def nobody_is_left(door: Door) -> None:
    async with asyncio.timeout(20):
        while door.connections:
            await asyncio.sleep(0.02)


async def drip(connection: Wire, data: bytes) -> None:
    for byte in data:
        await connection.send(bytes([byte]))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "begun", [b"G", b"GET /echo HTTP/1.1\r\nHost: a\r\n", HALF_BODY, HALF_CHUNK]
)
async def test_a_request_that_stalls_is_told_so_and_closed(begun: bytes) -> None:
    async with opened(QUICK) as (door, port), wire(port) as connection:
        await connection.send(begun)
        (answer,) = await connection.answers_to_the_end()
        await nobody_is_left(door)
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert (answer.json()["error"], answer.headers["connection"]) == ("Bad Request", "close")


@pytest.mark.parametrize("begun", [b"", post(b"Content-Length: 500"), post(CHUNKED, b"fff\r\n")])
async def test_a_request_that_comes_by_drops_does_not_live_on_them(begun: bytes) -> None:
    async with opened(QUICK) as (_, port), wire(port) as connection:
        await connection.send(begun)
        dripping = asyncio.create_task(
            drip(connection, (b"GET /echo HTTP/1.1\r\nX: " + b"a" * 900))
        )
        (answer,) = await connection.answers_to_the_end()
        dripping.cancel()
    assert (answer.status, answer.code) == (408, "request_timeout")


@pytest.mark.parametrize("before", [b"", get()])
async def test_a_connection_without_a_request_is_closed_without_a_word(before: bytes) -> None:
    async with opened(QUICK) as (_, port), wire(port) as connection:
        await connection.send(before)
        answers = await connection.answers_to_the_end()
    assert [one.status for one in answers] == [200] * bool(before)


async def test_the_rest_of_a_body_that_nobody_wants_is_not_waited_for() -> None:
    async with opened(QUICK) as (door, port), wire(port) as connection:
        await connection.send(HALF_BODY.replace(b"/echo", b"/nowhere"))
        assert [one.status for one in await connection.answers_to_the_end()] == [404]
        await nobody_is_left(door)


@pytest.mark.parametrize("more", [b"", b"Upgrade: websocket\r\nConnection: Upgrade\r\n"])
async def test_an_answer_that_is_not_ready_in_time_is_a_503(more: bytes) -> None:
    async with opened(QUICK) as (door, port), wire(port) as connection:
        await connection.send(
            get(line=b"GET /never HTTP/1.1").replace(b"Host: a\r\n", b"Host: a\r\n" + more)
        )
        (answer,) = await connection.answers_to_the_end()
        await nobody_is_left(door)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "unavailable", "1")


@pytest.mark.parametrize("asked", [get(line=b"GET /big HTTP/1.1") * 3, get() * 4000])
async def test_who_does_not_read_the_answers_is_cut_off(asked: bytes) -> None:
    async with opened(QUICK) as (door, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # StreamReader's own
        writer.write(asked)
        await asyncio.sleep(0)
        await nobody_is_left(door)
        writer.transport.abort()


async def test_time_outs_are_no_bugs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with opened(QUICK) as (door, port), AsyncExitStack() as held:
            for begun in (b"", b"G", HALF_BODY, get(line=b"GET /never HTTP/1.1"), get()):
                await (await held.enter_async_context(wire(port))).send(begun)
            for begun in (b"G", HALF_BODY):
                async with wire(port) as gone:
                    await gone.send(begun)
            await nobody_is_left(door)
    names = {record.name for record in caplog.records}
    assert names <= {"arcana.access"}


# Many connections


async def test_half_open_requests_are_dropped_and_keep_nobody_waiting() -> None:
    limits = HttpLimits(head_seconds=2, body_seconds=2)
    async with opened(limits) as (door, port), AsyncExitStack() as held:
        slow = [await held.enter_async_context(wire(port)) for _ in range(150)]
        for number, connection in enumerate(slow):
            await connection.send((b"GET /echo HTTP/1.1\r\nHost: a\r\n", HALF_BODY)[number % 2])
        async with wire(port) as other:
            for _ in range(50):
                await other.send(get())
                assert (await other.answer()).status == 200
        assert len(door.connections) >= 150
        for connection in slow:
            assert [one.status for one in await connection.answers_to_the_end()] == [408]
        await nobody_is_left(door)


@pytest.mark.parametrize(
    ("begun", "rest"),
    [
        (b"", get()),
        (get(), get()),
        (b"GET /echo HTTP/1.1\r\n", b"Host: a\r\n\r\n"),
        (HALF_BODY, b"x" * 95),
    ],
    ids=["silent", "idle", "in a head", "in a body"],
)
async def test_when_full_whoever_has_waited_longest_makes_room(begun: bytes, rest: bytes) -> None:
    async with opened(PATIENT) as (_, port), AsyncExitStack() as held:
        first, *others = [await held.enter_async_context(wire(port)) for _ in range(5)]
        for connection in (first, *others):
            await connection.send(begun)
            if begun == get():
                await connection.answer()
            await asyncio.sleep(0.02)  # so that it is plain who came first
        async with wire(port) as late:
            await late.send(get())
            assert (await late.answer()).status == 200
            assert await first.ends()
            for connection in others:
                await connection.send(rest)
                assert (await connection.answer()).status == 200


async def test_when_all_are_being_answered_one_more_is_refused_in_the_one_shape() -> None:
    async with opened(PATIENT) as (_, port), AsyncExitStack() as held:
        for _ in range(5):
            busy = await held.enter_async_context(wire(port))
            await busy.send(get(line=b"GET /never HTTP/1.1"))
        await asyncio.sleep(0.05)
        async with wire(port) as late:
            (answer,) = await late.answers_to_the_end()
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


HUNDRED = HttpLimits(all_body_bytes=100)


@pytest.mark.parametrize("framing", [b"Content-Length: 60", CHUNKED], ids=["length", "chunks"])
async def test_bodies_of_all_callers_together_are_bounded(framing: bytes) -> None:
    begun = b"x" * 59 if framing != CHUNKED else b"3b\r\n" + b"x" * 59 + b"\r\n"
    rest = b"x" if framing != CHUNKED else b"0\r\n\r\n"
    async with opened(HUNDRED) as (door, port), wire(port) as first, wire(port) as second:
        await first.send(post(framing, begun))
        async with asyncio.timeout(10):
            while not door.app.ctx.http_bodies.held:
                await asyncio.sleep(0.01)
        await second.send(post(framing, begun + rest))
        (refused,) = await second.answers_to_the_end()
        assert (refused.status, refused.code) == (503, "unavailable")
        assert refused.headers["connection"] == "close"
        await first.send(rest)
        assert (await first.answer()).status == 200
        async with wire(port) as third:
            await third.send(post(framing, begun + rest))
            assert (await third.answer()).status == 200
    await nobody_is_left(door)
    assert door.app.ctx.http_bodies.held == 0
