"""What is not plainly framed gets one 400 and a closed socket, and hides no second request."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import cast

import h11
import httptools
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from sanic.response import HTTPResponse

from service.transport.http.framing import begins_chunk, has_strays, head_fault
from service.transport.http.headers import STANDARD
from service.transport.http.requests import Request
from tests.support.framings import BAD, GOOD, HOST, get, post
from tests.support.http_door import Door
from tests.support.raw_http import wire


@pytest.fixture(scope="module", name="served")
def paths_served() -> list[str]:
    """Every path that a handler was called for."""
    return []


@pytest_asyncio.fixture(scope="module", name="port")
async def door_port(served: list[str]) -> AsyncIterator[int]:
    door = Door()

    async def echo(request: Request) -> HTTPResponse:
        served.append(request.path)
        return HTTPResponse(request.body)

    door.app.add_route(echo, "/echo", ["GET", "POST"], name="echo")
    door.app.add_route(echo, "/smuggled", ["GET"], name="smuggled")
    async with door.served() as port:
        yield port


@pytest.mark.parametrize("by", [0, 1, 7], ids=["whole", "by one", "by seven"])
@pytest.mark.parametrize("case", BAD)
async def test_a_bad_request_is_refused_once_and_the_connection_closed(
    port: int, served: list[str], case: str, by: int
) -> None:
    if by and len(BAD[case]) > 10_000:
        by *= 500
    async with wire(port) as connection:
        await connection.send(BAD[case], by=by)
        *before, answer = await connection.answers_to_the_end()
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert [one.status for one in before] == ([100] if "Expect" in case else [])
    assert set(answer.json()) == {"error", "message", "code", "request_id"}
    assert (answer.json()["error"], answer.code) == ("Bad Request", "invalid_request")
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert {name.lower() for name in STANDARD} <= set(answer.headers)
    assert "server" not in answer.headers
    assert "/smuggled" not in served


@pytest.mark.parametrize("by", [0, 1, 7], ids=["whole", "by one", "by seven"])
@pytest.mark.parametrize("case", GOOD)
async def test_a_good_request_is_left_alone(port: int, case: str, by: int) -> None:
    data, statuses = GOOD[case]
    async with wire(port) as connection:
        await connection.send(data, by=by)
        came = [await connection.answer() for _ in statuses]
        assert [answer.status for answer in came] == statuses
        if b"HTTP/1.0" in data:
            assert await connection.ends()
        else:
            await connection.send(get(), by=by)
            assert (await connection.answer()).status == 200


async def test_a_good_request_before_a_bad_one_is_answered(port: int) -> None:
    async with wire(port) as connection:
        await connection.send(get() + BAD["length: plus"])
        assert [one.status for one in await connection.answers_to_the_end()] == [200, 400]


async def test_a_body_that_is_not_wanted_is_read_as_strictly(port: int, served: list[str]) -> None:
    data = BAD["chunk: 0x"].replace(b"/echo", b"/nowhere")
    async with wire(port) as connection:
        await connection.send(data)
        assert [one.status for one in await connection.answers_to_the_end()] == [404]
    assert "/smuggled" not in served


async def test_a_refusal_says_what_to_mend(port: int) -> None:
    async with wire(port) as connection:
        await connection.send(get(host=b""))
        (answer,) = await connection.answers_to_the_end()
    assert answer.json()["message"] == "Exactly one Host is needed."


@pytest.mark.parametrize("length", ["length: twenty digits", "length: five thousand digits"])
async def test_a_length_of_too_many_digits_is_called_too_large(port: int, length: str) -> None:
    async with wire(port) as connection:
        await connection.send(BAD[length])
        (answer,) = await connection.answers_to_the_end()
    assert answer.json()["message"] == "Content-Length is too large: it may have 19 digits."


@pytest.mark.parametrize("target", [b"/echo", b"/nowhere", b"*"])
@pytest.mark.parametrize("method", [b"TRACE", b"BREW", b"PROPFIND", b"X.1"])
async def test_a_method_that_nobody_knows_is_not_allowed_anywhere(
    port: int, method: bytes, target: bytes
) -> None:
    async with wire(port) as connection:
        await connection.send(get(line=method + b" " + target + b" HTTP/1.1"))
        answer = await connection.answer()
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    every = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert answer.headers["allow"] == ("GET, POST" if target == b"/echo" else every)


async def test_nobody_gets_a_tunnel(port: int, served: list[str]) -> None:
    async with wire(port) as connection:
        line = b"CONNECT smuggled:80 HTTP/1.1"
        await connection.send(get(line=line) + BAD["host: none"])
        answers = await connection.answers_to_the_end()
    assert [(one.status, "allow" in one.headers) for one in answers] == [(405, True)]


PIECES = [
    *(b"http:", b"a:", b"//", b"/", b"a", b".", b"..", b"@", b":", b"80", b"?", b"x=1", b"*", b"["),
    *(
        b"]",
        b"::1",
        b"%41",
        b"%",
        b"%00",
        b"%ff",
        b"\\",
        b";",
        b"&",
        b"=",
        b"{",
        b'"',
        b"echo",
        b"<",
    ),
    *(b"/api/v1/users/", b"/docs", b"/health"),
]


async def test_no_target_however_odd_is_a_bug(port: int) -> None:
    odd = random.Random(7)
    targets = [b"".join(odd.choices(PIECES, k=odd.randint(1, 6))) for _ in range(1000)]
    absolute = [b"http://a" + target for target in targets]
    for target in targets + absolute:
        async with wire(port) as connection:
            await connection.send(get(line=b"GET " + target + b" HTTP/1.1"))
            assert (await connection.answer()).status < 500, target


# Expect


async def test_the_body_is_asked_for_only_when_it_will_be_read(port: int) -> None:
    head = b"Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: %d"
    for length, path, status in ((2**21, b"/echo", 413), (5, b"/nowhere", 404)):
        async with wire(port) as connection:
            await connection.send(post(head % length).replace(b"/echo", path))
            answers = await connection.answers_to_the_end()
        assert [one.status for one in answers] == [status]


async def test_the_body_is_asked_for_once(port: int) -> None:
    async with wire(port) as connection:
        await connection.send(post(b"Expect: 100-Continue\r\nContent-Length: 5"))
        assert (await connection.answer()).status == 100
        await connection.send(b"hello")
        answer = await connection.answer()
    assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.parametrize("order", [1, -1])
async def test_an_unknown_expectation_beside_a_known_one_is_refused(port: int, order: int) -> None:
    fields = [b"Expect: 100-continue", b"Expect: magic"][::order]
    async with wire(port) as connection:
        await connection.send(post(b"\r\n".join([*fields, b"Content-Length: 5"])))
        (answer,) = await connection.answers_to_the_end()
    assert (answer.status, answer.code) == (417, "invalid_request")


async def test_the_known_expectation_may_come_twice(port: int) -> None:
    async with wire(port) as connection:
        await connection.send(post(b"Expect: 100-continue\r\n" * 2 + b"Content-Length: 5"))
        assert (await connection.answer()).status == 100


# HEAD


@pytest.mark.parametrize(
    ("fields", "status"),
    [(b"Host: b\r\n", 400), (b"X: " + b"x" * 9000 + b"\r\n", 413), (b"X\0: a\r\n", 400)],
    ids=["two Hosts", "a large head", "a control character"],
)
async def test_a_refusal_of_head_has_no_body(port: int, fields: bytes, status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(get(host=HOST + fields, line=b"HEAD /echo HTTP/1.1"))
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-length: " in head.lower()
    assert body == b""


# The rules alone

TEXTS = st.binary(max_size=12)
NAMES = st.sampled_from(
    [b"Host", b"host", b"Content-Length", b"Transfer-Encoding", b"X", b"Expect", b"Connection"]
)
COLONS = st.sampled_from([b":", b": ", b" :", b":\t", b""])
VALUES = (
    st.sampled_from([b"a", b"5", b"+5", b"chunked", b"a:80", b"close", b" 5 ", b"\x005"]) | TEXTS
)
LINES = st.sampled_from([b"GET / HTTP/1.1", b"POST /a?b HTTP/1.0", b"GET  / HTTP/1.1"]) | TEXTS
FIELDS = st.lists(st.tuples(NAMES, COLONS, VALUES).map(b"".join), max_size=5)


@given(LINES | st.just(b"GET / HTTP/1.1"), FIELDS, st.sampled_from([b"\r\n", b"\n"]))
def test_two_strict_readers_find_the_same_in_what_is_let_through(
    line: bytes, fields: list[bytes], end: bytes
) -> None:
    """h11 and llhttp, which share nothing with Sanic or with us."""
    head = end.join([line, *fields])
    if head_fault(head) is not None:
        return
    ours = {name.lower(): value.strip() for name, value in _pairs(head)}
    ours.pop(b"expect", None)
    assert _by_h11(head).items() >= ours.items()
    assert _by_llhttp(head).items() >= ours.items()


def _pairs(head: bytes) -> list[tuple[bytes, bytes]]:
    return [cast(tuple[bytes, bytes], tuple(x.split(b":", 1))) for x in head.split(b"\r\n")[1:]]


def _by_h11(head: bytes) -> dict[bytes, bytes]:
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(head + b"\r\n\r\n")
    event = parser.next_event()
    assert isinstance(event, h11.Request)
    return dict(event.headers)


def _by_llhttp(head: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}

    class Reader:
        def on_header(self, name: bytes, value: bytes) -> None:
            found[name.lower()] = value.strip()

    httptools.HttpRequestParser(Reader()).feed_data(head + b"\r\n\r\n")
    return found


@given(st.binary(max_size=40))
def test_no_bytes_break_the_rules_themselves(data: bytes) -> None:
    assert head_fault(data) is None or isinstance(head_fault(data), str)
    has_strays(data, 0)
    if begins_chunk(b"\r\n" + data) is True:
        size, found, _ = data.partition(b"\r\n")
        assert found
        assert int(size.partition(b";")[0], 16) >= 0


@pytest.mark.parametrize("data", [b"\r\n5;a=b\r\n", b"\r\nA\r\n", b"\r\n00000005 ;x\r\n"])
def test_a_good_chunk_is_waited_for_byte_by_byte(data: bytes) -> None:
    assert {begins_chunk(data[:length]) for length in range(len(data))} == {None}
    assert begins_chunk(data) is True
