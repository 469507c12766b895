"""How failures are told: the contract's shape, problem details, and nothing of a bug."""

import json
import logging
from datetime import timedelta

import pytest

from service.core.errors import (
    Forbidden,
    Invalid,
    InvalidToken,
    Limited,
    MissingToken,
    Refusal,
    Unavailable,
)
from service.transport.http.errors import PROBLEM
from service.users.errors import EmailTaken, LastAdmin, UserNotFound
from tests.support.http_door import GOOD, Door

CANARY = "canary-ada@example.com"
CASES: list[tuple[Refusal, int, str]] = [
    (Invalid({"name": ["Must be text."]}), 400, "Bad Request"),
    (MissingToken(), 401, "Unauthorized"),
    (InvalidToken(), 401, "Unauthorized"),
    (Forbidden(), 403, "Forbidden"),
    (UserNotFound(), 404, "Not Found"),
    (EmailTaken(), 409, "Conflict"),
    (LastAdmin(), 409, "Conflict"),
    (Limited(timedelta(seconds=61.2)), 429, "Too Many Requests"),
    (Unavailable(), 503, "Service Unavailable"),
]


@pytest.mark.parametrize(("refusal", "status", "error"), CASES, ids=lambda v: getattr(v, "code", v))
async def test_every_refusal_has_the_one_shape(refusal: Refusal, status: int, error: str) -> None:
    door = Door()
    door.users.fails_with = refusal
    answer = await door.call("GET", "/api/v1/users/me", headers={"X-Request-ID": "r-1", **GOOD})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    errors = body.pop("errors", None)
    assert body == {
        "error": error,
        "message": refusal.text,
        "code": refusal.code,
        "request_id": "r-1",
    }
    assert errors == ({"name": ["Must be text."]} if status == 400 else None)


@pytest.mark.parametrize(("refusal", "status", "error"), CASES, ids=lambda v: getattr(v, "code", v))
async def test_problem_details_say_the_same(refusal: Refusal, status: int, error: str) -> None:
    door = Door()
    door.users.fails_with = refusal
    answer = await door.call("GET", "/api/v1/users/me", headers={"Accept": PROBLEM, **GOOD})
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert body["type"] == "about:blank"
    assert (answer.status_code, body["status"], body["title"]) == (status, status, error)
    assert (body["detail"], body["code"]) == (refusal.text, refusal.code)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert ("errors" in body) == (status == 400)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/problem+json;q=0", "application/json"),
        ("application/json, application/problem+json;q=0.5", "application/json"),
        ("application/problem+json;q=rubbish", "application/json"),
        ("application/json, application/problem+json", PROBLEM),
        ("Application/Problem+JSON ; q=0.9, */*;q=0.1", PROBLEM),
    ],
)
async def test_the_callers_accept_chooses_the_form(accept: str, form: str) -> None:
    answer = await Door().call("GET", "/nowhere", headers={"Accept": accept})
    assert answer.headers["content-type"] == form


async def test_a_401_without_a_token_names_the_scheme_and_no_fault() -> None:
    door = Door()
    door.auth.fails_with = MissingToken()
    answer = await door.call("GET", "/api/v1/auth/me")
    assert answer.headers["www-authenticate"] == 'Bearer realm="arcana"'


async def test_a_401_for_a_bad_token_says_so() -> None:
    answer = await Door().call("GET", "/api/v1/auth/me", headers={"Authorization": "Bearer bad"})
    assert answer.headers["www-authenticate"] == 'Bearer realm="arcana", error="invalid_token"'


@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        (Limited(timedelta(seconds=61.2)), "62"),
        (Limited(timedelta(0)), "1"),
        (Unavailable(timedelta(seconds=5)), "5"),
    ],
)
async def test_retry_after_is_whole_seconds_rounded_up(refusal: Refusal, seconds: str) -> None:
    door = Door()
    door.auth.fails_with = refusal
    answer = await door.call("POST", "/api/v1/auth/login", json={})
    assert answer.headers["retry-after"] == seconds


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/v1/nowhere", "/api/v1/users/x/keepsakes"])
async def test_what_is_not_there_is_not_found(path: str) -> None:
    answer = await Door().call("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["error"] == "Not Found"


async def test_a_method_that_is_not_offered_is_told_which_are() -> None:
    answer = await Door().call("DELETE", "/api/v1/users/me", headers=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.json()["error"] == "Method Not Allowed"
    assert answer.headers["allow"] == "GET, HEAD, PATCH, PUT"


async def test_of_a_bug_the_caller_learns_nothing(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    door.users.fails_with = RuntimeError(f"INSERT INTO users VALUES ('{CANARY}')")
    with caplog.at_level(logging.DEBUG):
        answer = await door.call("GET", f"/api/v1/users/me?q={CANARY}", headers=GOOD)
    assert answer.status_code == 500
    body = answer.json()
    assert (body["error"], body["code"]) == ("Internal Server Error", "internal")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert CANARY not in answer.text
    assert "RuntimeError" not in answer.text


async def test_a_bug_is_logged_with_its_type_and_place_but_not_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door()
    error = RuntimeError(f"parameters: {CANARY}")
    error.__cause__ = ValueError(CANARY)
    door.users.fails_with = error
    with caplog.at_level(logging.DEBUG):
        answer = await door.call("GET", f"/api/v1/users/{CANARY}?q={CANARY}", headers=GOOD)
    ours = [record for record in caplog.records if record.name.startswith("arcana")]
    bug = next(record for record in ours if record.name == "arcana.errors")
    facts = vars(bug)
    assert bug.getMessage() == "Unexpected RuntimeError"
    assert facts["request_id"] == answer.headers["x-request-id"]
    assert facts["route"] == "/api/v1/users/<user_id>"
    assert facts["causes"] == ["ValueError"]
    assert any("http_door.py" in line for line in facts["stack"])
    assert CANARY not in json.dumps([vars(record) for record in ours], default=str)
    from_sanic = [record for record in caplog.records if record.name.startswith("sanic.error")]
    assert from_sanic == []


async def test_refusals_are_not_logged_as_bugs(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    door.users.fails_with = UserNotFound()
    with caplog.at_level(logging.DEBUG, "arcana"):
        await door.call("GET", "/api/v1/users/me", headers=GOOD)
    assert [record.name for record in caplog.records if record.name != "arcana.access"] == []
