"""What only a real socket shows: limits, time-outs, bad framing, HEAD."""

import asyncio
import json

import httpx
import pytest

from service.transport.http.app import make_app
from service.transport.http.limits import HttpLimits
from tests.support.http_door import Door


async def exchange(port: int, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are, and read one answer to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode().strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
    finally:
        writer.close()
    return int(status.split()[1]), headers, body


def post(length: int) -> bytes:
    return (
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("length", [2**20 + 1, 10**12])
async def test_a_body_beyond_one_mebibyte_is_refused_before_it_is_read(length: int) -> None:
    door = Door()
    async with door.served() as port:
        status, headers, body = await exchange(port, post(length), b"{")
    assert (status, json.loads(body)["code"]) == (413, "too_large")
    assert json.loads(body)["error"] == "Payload Too Large"
    assert headers["x-request-id"] == json.loads(body)["request_id"]
    assert headers["connection"] == "close"
    assert door.auth.calls == []


async def test_a_body_of_one_mebibyte_is_taken() -> None:
    door = Door()
    async with door.served() as port:
        status, _, _ = await exchange(port, post(2**20), b" " * 2**20)
    assert status == 200
    assert len(door.auth.last.arguments[0]) == 2**20


async def test_a_chunked_body_beyond_the_limit_is_refused() -> None:
    head = post(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    async with Door(limits=HttpLimits(body_bytes=1000)).served() as port:
        status, _, body = await exchange(port, head, *[b"1f4\r\n" + b" " * 500 + b"\r\n"] * 3)
    assert (status, json.loads(body)["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"rubbish\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 400, "invalid_request"),
        (b"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_request"),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 413, "too_large"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 413, "too_large"),
        (b"GET /" + b"x" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 413, "too_large"),
        (b"BREW /health HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: magic\r\nContent-Length: 1\r\n\r\n",
            417,
            "invalid_request",
        ),
    ],
)
async def test_bad_requests_are_answered_in_the_one_shape(
    request_bytes: bytes, status: int, code: str
) -> None:
    async with Door().served() as port:
        got, headers, body = await exchange(port, request_bytes)
    assert (got, json.loads(body)["code"]) == (status, code)
    assert headers["x-request-id"] == json.loads(body)["request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


async def test_a_request_that_never_ends_is_timed_out() -> None:
    async with Door(limits=HttpLimits(head_seconds=1)).served() as port:
        status, headers, body = await exchange(port, b"GET /health HTTP/1.1\r\nHost:")
    assert (status, json.loads(body)["code"]) == (408, "request_timeout")
    assert headers["connection"] == "close"


async def test_a_handler_that_never_ends_is_cut_with_a_503() -> None:
    door = Door(limits=HttpLimits(response_seconds=1))
    door.ready.clear()

    async def never() -> None:
        await asyncio.sleep(60)

    door.app.add_route(lambda request: never(), "/never")
    async with door.served() as port:
        status, headers, body = await exchange(port, b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, json.loads(body)["code"]) == (503, "unavailable")
    assert headers["retry-after"] == "1"


async def test_head_says_what_get_would_without_the_body() -> None:
    async with Door().served() as port, httpx.AsyncClient() as client:
        for path in ("/health", "/docs", "/nowhere", "/api/v1/users/me"):
            url = f"http://127.0.0.1:{port}{path}"
            head, get = await client.head(url), await client.get(url)
            assert head.status_code == get.status_code
            assert head.content == b""
            assert head.headers["content-length"] == get.headers["content-length"]


async def test_a_204_has_neither_body_nor_length() -> None:
    async with Door().served() as port, httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{port}/api/v1/auth/logout")
    assert answer.status_code == 204
    assert "content-length" not in answer.headers


def test_the_environment_cannot_change_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANIC_REQUEST_MAX_SIZE", "5")
    monkeypatch.setenv("SANIC_SECRET", "0123")
    config = make_app("unmoved").config
    assert config.REQUEST_MAX_SIZE == 2**20
    assert "SECRET" not in config
    assert not config.AUTO_EXTEND
    assert not config.ACCESS_LOG
