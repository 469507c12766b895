"""How the Authorization header is read."""

import base64

import pytest

from service.core.errors import InvalidToken
from service.transport.credentials import basic_pair, bearer_token
from tests.support.http_door import ADA, Door


@pytest.mark.parametrize(
    "header",
    [
        "Bearer abc",
        "bearer abc",
        "BEARER abc",
        "bEaReR abc",
        "Bearer  abc",
        "Bearer    abc",
        "Bearer abc \t",
    ],
)
def test_the_scheme_is_read_in_any_case_and_with_any_number_of_spaces(header: str) -> None:
    assert bearer_token([header]) == "abc"


@pytest.mark.parametrize("token", ["a.b-c_d~e+f/g", "abc=", "abc==", "0"])
def test_a_token_may_hold_all_that_a_token68_may(token: str) -> None:
    assert bearer_token([f"Bearer {token}"]) == token


def test_without_the_header_nobody_claims_to_be_anybody() -> None:
    assert bearer_token([]) is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearer\tabc",
        "Bearerabc",
        "abc",
        "Basic YTpi",
        "Bearer abc def",
        "Bearer a=b",
        "Bearer =",
        "Bearer abc,def",
        'Bearer "abc"',
        "Bearer äbc",
        "Bearer abc\x00",
        "Bearer: abc",
        "ſearer abc",
    ],
)
def test_anything_malformed_is_an_invalid_token(header: str) -> None:
    with pytest.raises(InvalidToken):
        bearer_token([header])


def test_two_headers_are_an_invalid_token_even_when_both_are_good() -> None:
    with pytest.raises(InvalidToken):
        bearer_token(["Bearer good", "Bearer good"])


async def test_a_good_token_makes_the_caller_an_actor() -> None:
    door = Door()
    answer = await door.call("GET", "/api/v1/auth/me", headers={"authorization": "bEARER  good"})
    assert answer.status_code == 200
    assert door.auth.last.actor.user_id == ADA


async def test_two_authorization_headers_are_refused_at_the_door() -> None:
    door = Door()
    twice = [("Authorization", "Bearer good"), ("Authorization", "Bearer good")]
    answer = await door.call("GET", "/api/v1/auth/me", headers=twice)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert door.auth.calls == []


async def test_a_caller_without_a_token_reaches_the_service_as_nobody() -> None:
    door = Door()
    await door.call("GET", "/api/v1/auth/me")
    assert not door.auth.last.actor.is_signed_in


@pytest.mark.parametrize("path", ["register", "login", "refresh"])
async def test_public_operations_never_look_at_the_header(path: str) -> None:
    door = Door()
    bad = {"Authorization": "Bearer rubbish"}
    answer = await door.call("POST", f"/api/v1/auth/{path}", headers=bad, json={})
    assert answer.status_code in (200, 201)
    assert not door.auth.last.actor.is_signed_in


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("id:secret", ("id", "secret")),
        ("id:", ("id", "")),
        (":secret", ("", "secret")),
        ("id", ("id", "")),
        ("id:a:b", ("id", "a:b")),
        ("i%3Ad:a%20b+c%25", ("i:d", "a b c%")),
        ("i\u00e4d:\u00e4", ("i\u00e4d", "\u00e4")),
    ],
)
def test_basic_is_a_pair_that_was_form_encoded(text: str, pair: tuple[str, str]) -> None:
    assert basic_pair([basic(text)]) == pair
    assert basic_pair([basic(text).replace("Basic", "bASIC ")]) == pair


@pytest.mark.parametrize("values", [[], ["Bearer abc"], [""], ["Bas"], ["Token abc"]])
def test_what_is_not_basic_is_nothing(values: list[str]) -> None:
    assert basic_pair(values) is None


@pytest.mark.parametrize(
    "values",
    [
        ["Basic"],
        ["Basic "],
        ["Basic !"],
        ["Basic YTp"],
        ["Basic YTpi x"],
        ["Basic YTpi", "Basic YTpi"],
        ["Bearer abc", "Basic YTpi"],
        ["Basic /w=="],
        [basic("%FF:b")],
    ],
)
def test_basic_that_can_not_be_read_is_a_pair_that_is_never_right(values: list[str]) -> None:
    assert basic_pair(values) == ("", "")
