"""The headers of every answer: request ids, security, CORS."""

import re
from email.utils import parsedate_to_datetime

import pytest

from service.core.clock import utc_now
from service.transport.http.headers import STANDARD, date
from service.transport.http.limits import HttpLimits
from tests.support.http_door import GOOD, Door
from tests.support.raw_http import wire

PAGE = "https://app.example"
OTHER = "https://app.example.evil"
ASKS = {"Origin": PAGE, "Access-Control-Request-Method": "PATCH"}
NEW_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
EVERYWHERE = [
    ("GET", "/health"),
    ("GET", "/api/v1/users/me"),
    ("POST", "/api/v1/auth/logout"),
    ("GET", "/nowhere"),
    ("DELETE", "/health"),
    ("GET", "/docs"),
    ("GET", "/docs/openapi.json"),
]


@pytest.mark.parametrize("sane", ["a", "A-Z_0.9", "x" * 128])
async def test_a_sane_request_id_is_kept(sane: str) -> None:
    answer = await Door().call("GET", "/nowhere", headers={"X-Request-ID": sane})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == sane


@pytest.mark.parametrize("strange", ["", "x" * 129, "a b", "a\tb", "<script>", "ä", "a,b", "a\x7f"])
async def test_any_other_request_id_is_replaced(strange: str) -> None:
    headers = {"X-Request-ID": strange.encode()}
    answer = await Door().call("GET", "/nowhere", headers=headers)
    assert NEW_ID.fullmatch(answer.headers["x-request-id"])


async def test_two_request_ids_are_none() -> None:
    headers = [("X-Request-ID", "one"), ("X-Request-ID", "two")]
    answer = await Door().call("GET", "/health", headers=headers)
    assert NEW_ID.fullmatch(answer.headers["x-request-id"])


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
async def test_every_answer_has_an_id_and_the_security_headers(method: str, path: str) -> None:
    answer = await Door().call(method, path, headers=GOOD)
    assert NEW_ID.fullmatch(answer.headers["x-request-id"])
    for name in STANDARD:
        assert name in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    assert "vary" not in answer.headers


def seconds_ago(date: str) -> float:
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)
    return (utc_now() - parsedate_to_datetime(date)).total_seconds()


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
async def test_every_answer_has_a_date(method: str, path: str) -> None:
    answer = await Door().call(method, path, headers=GOOD)
    assert 0 <= seconds_ago(answer.headers["date"]) < 60


async def test_refusals_that_come_before_all_else_have_a_date() -> None:
    async with Door(limits=HttpLimits(connections=0)).served() as port, wire(port) as connection:
        answer = await connection.answer()
        assert (answer.status, seconds_ago(answer.headers["date"]) < 60) == (503, True)
    async with Door().served() as port, wire(port) as connection:
        await connection.send(b"nonsense\r\n\r\n")
        answer = await connection.answer()
        assert (answer.status, seconds_ago(answer.headers["date"]) < 60) == (400, True)


def test_the_date_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    for second in (0, 0, 1):
        monkeypatch.setattr("time.time", lambda now=second: now + 0.9)
        told.append(date())
    assert told == ["Thu, 01 Jan 1970 00:00:00 GMT"] * 2 + ["Thu, 01 Jan 1970 00:00:01 GMT"]


@pytest.mark.parametrize("failing", [False, True])
async def test_no_answer_of_the_api_is_ever_stored(failing: bool) -> None:
    door = Door()
    door.auth.fails_with = RuntimeError() if failing else None
    answer = await door.call("POST", "/api/v1/auth/login", json={})
    assert answer.headers["cache-control"] == "no-store"


async def test_a_page_of_a_configured_origin_may_read_answers() -> None:
    answer = await Door(cors_origins=[PAGE]).call("GET", "/health", headers={"Origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["vary"] == "Origin"
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [OTHER, "http://app.example", PAGE + ":8443", PAGE + "/", PAGE.upper(), "null", ""]
)
async def test_any_other_origin_may_not(origin: str) -> None:
    answer = await Door(cors_origins=[PAGE]).call("GET", "/health", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"


async def test_refusals_and_bugs_can_be_read_by_a_page_too() -> None:
    door = Door(cors_origins=[PAGE])
    door.auth.fails_with = RuntimeError()
    for method, path in (*EVERYWHERE, ("POST", "/api/v1/auth/login")):
        answer = await door.call(method, path, headers={"Origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE


async def test_a_preflight_is_told_what_the_route_offers() -> None:
    answer = await Door(cors_origins=[PAGE]).call("OPTIONS", "/api/v1/users/me", headers=ASKS)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, PATCH, PUT"
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["vary"] == "Origin"


async def test_a_preflight_of_another_origin_gets_no_leave() -> None:
    headers = {**ASKS, "Origin": OTHER}
    answer = await Door(cors_origins=[PAGE]).call("OPTIONS", "/api/v1/users/me", headers=headers)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


async def test_without_configured_origins_nobody_gets_leave() -> None:
    answer = await Door().call("OPTIONS", "/api/v1/users/me", headers=ASKS)
    assert answer.status_code == 405
    assert "access-control-allow-methods" not in answer.headers


async def test_a_star_lets_every_page_in_without_credentials() -> None:
    answer = await Door(cors_origins=["*"]).call("GET", "/health", headers={"Origin": OTHER})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
