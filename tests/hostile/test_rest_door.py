"""The REST door under attack: one shape of refusal, nothing told or forged, others served."""

import json
import re
import zlib
from collections.abc import Iterator

import pytest

from tests.support.attacks import API, ATTACKS, CANARY, request
from tests.support.databases import fresh_database
from tests.support.ears import listening
from tests.support.live import Live
from tests.support.people import Person
from tests.support.raw_http import Response, Wire, wire

TELLING = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|/work/|/usr/|/root/|asyncpg|sqlite|tortoise|pydantic|"
    r"sanic|uvloop|python|\bSELECT\b|\bINSERT\b|\bUPDATE\b|\bFROM users\b|syntax error",
    re.IGNORECASE,
)
LINE = {"ts", "level", "logger", "message"}


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


async def answer_to(connection: Wire, attack: bytes) -> Response:
    await connection.send(attack)
    answer = await connection.answer()
    return answer if answer.status != 100 else await connection.answer()


def told(answer: Response) -> str:
    """All that the answer says of its own: the names of unknown fields are the caller's words."""
    if not answer.body or answer.status < 400:
        return f"{answer.headers} {answer.body.decode()}"
    body = answer.json()
    return f"{answer.headers} {body | {'errors': list(body.get('errors', {}).values())}}"


def check(attack: bytes, answer: Response) -> None:
    """Refused in the contract's shape or harmless; and nothing told of what is inside."""
    text = told(answer)
    assert answer.status < 500, (attack[:200], text)
    assert not TELLING.search(text), (attack[:200], text)
    assert "server" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    if answer.status >= 400:
        assert {"error", "message", "code", "request_id"} <= set(answer.json())
        assert answer.headers["x-request-id"] == answer.json()["request_id"]
        assert set(answer.headers) & {"set-cookie", "location"} == set()


async def test_every_attack_is_refused_and_everybody_else_is_served(
    live: Live, ada: Person
) -> None:
    good = request(b"GET", API + b"/users/me", b"Authorization: Bearer " + ada.access.encode())
    with listening() as ears:
        async with wire(live.http_port) as friend:
            for attack in ATTACKS:
                async with wire(live.http_port) as connection:
                    check(attack, await answer_to(connection, attack))
                assert (await answer_to(friend, good)).status == 200
    lines = ears.lines()
    assert all(set(line) >= LINE for line in lines)
    access = [line for line in lines if line["logger"] == "arcana.access"]
    assert len(access) == 2 * len(ATTACKS)
    assert {line["logger"] for line in lines} == {"arcana.access"}
    assert not any("forged" in json.dumps(line) for line in lines)
    everything = ears.everything()
    assert CANARY not in everything.lower()
    assert ada.access not in everything


@pytest.mark.parametrize("size", [2**20 + 1, 90 * 2**20, 2**40])
async def test_a_body_that_is_too_large_is_refused_from_its_head(live: Live, size: int) -> None:
    head = request(b"POST", API + b"/auth/login", b"Content-Length: %d" % size)
    async with wire(live.http_port) as connection:
        await connection.send(head)
        (answer,) = await connection.answers_to_the_end()
    assert (answer.status, answer.code, answer.headers["connection"]) == (413, "too_large", "close")


async def test_a_body_that_grows_too_large_is_refused_while_it_comes(live: Live) -> None:
    head = request(b"POST", API + b"/auth/login", b"Transfer-Encoding: chunked")
    async with wire(live.http_port) as connection:
        await connection.send(head)
        for _ in range(17):
            await connection.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
        (answer,) = await connection.answers_to_the_end()
    assert (answer.status, answer.code) == (413, "too_large")


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"x"])
async def test_a_packed_body_is_never_unpacked(live: Live, coding: bytes) -> None:
    bomb = zlib.compress(b"0" * 2**28, 9)[: 2**19]
    attack = request(b"POST", API + b"/auth/login", b"Content-Encoding: " + coding, body=bomb)
    async with wire(live.http_port) as connection:
        answer = await answer_to(connection, attack)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


async def test_a_body_that_an_operation_takes_none_of_changes_nothing(
    live: Live, ada: Person
) -> None:
    bearer = b"Authorization: Bearer " + ada.access.encode()
    async with wire(live.http_port) as connection:
        for body in (b"{}", b"[1", b"\xff\x00", b'{"all": true}'):
            for form in (b"application/json", b"text/plain"):
                attack = request(b"GET", API + b"/users/me", bearer, body=body, form=form)
                assert (await answer_to(connection, attack)).status == 200
        attack = request(b"POST", API + b"/auth/logout", bearer, body=b'{"all": "maybe"}')
        assert (await answer_to(connection, attack)).status == 204
