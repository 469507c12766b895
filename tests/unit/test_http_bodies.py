"""What the door makes of bodies and queries before a service parses them."""

import pytest

from tests.support.http_door import GOOD, Door

LOGIN, INTROSPECT = "/api/v1/auth/login", "/api/v1/auth/introspect"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "form",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
    ],
)
async def test_json_reaches_the_service_byte_for_byte(form: str) -> None:
    door = Door()
    await door.call("POST", LOGIN, content=b' {"a": 1}', headers={"Content-Type": form})
    assert door.auth.last.arguments == (b' {"a": 1}',)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/json"},
        {"Content-Type": FORM},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_a_body_that_does_not_say_it_is_plain_json_is_refused(
    headers: dict[str, str],
) -> None:
    door = Door()
    answer = await door.call("POST", LOGIN, content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.json()["error"] == "Unsupported Media Type"
    assert door.auth.calls == []


async def test_an_absent_body_is_the_services_to_refuse() -> None:
    door = Door()
    await door.call("POST", LOGIN)
    assert door.auth.last.arguments == (b"",)


async def test_introspection_takes_a_form() -> None:
    door = Door()
    headers = {"Content-Type": FORM, **GOOD}
    await door.call("POST", INTROSPECT, content=b"token=a%2Bb&token_type_hint=", headers=headers)
    assert door.auth.last.arguments == ({"token": "a+b", "token_type_hint": ""},)


async def test_introspection_takes_json() -> None:
    door = Door()
    await door.call("POST", INTROSPECT, json={"token": "x"}, headers=GOOD)
    assert door.auth.last.arguments == (b'{"token":"x"}',)


@pytest.mark.parametrize("body", [b"token=a&token=b", b"token=%FF", b"token=\xff", b"a&" * 60])
async def test_a_form_that_can_be_read_in_two_ways_is_refused(body: bytes) -> None:
    headers = {"Content-Type": FORM, **GOOD}
    answer = await Door().call("POST", INTROSPECT, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": FORM, "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
)
async def test_where_a_form_is_taken_too_the_refusal_says_so(headers: dict[str, str]) -> None:
    answer = await Door().call("POST", INTROSPECT, content=b"x", headers={**headers, **GOOD})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    told = f"Send the body as application/json or {FORM}, not compressed."
    assert answer.json()["message"] == told


async def test_too_many_fields_are_called_too_many() -> None:
    query = "&".join(f"a{number}=" for number in range(51))
    answer = await Door().call("GET", f"/api/v1/users?{query}", headers=GOOD)
    assert answer.status_code == 400
    assert answer.json()["message"] == "The query or form may have at most 50 fields."
    assert (await Door().call("GET", f"/api/v1/users?{query[4:]}", headers=GOOD)).status_code == 200


async def test_a_query_reaches_the_service_by_name() -> None:
    door = Door()
    await door.call("GET", "/api/v1/users?page=2&size=&q=Ren%C3%A9+O%26", headers=GOOD)
    assert door.users.last.arguments == ({"page": "2", "size": "", "q": "René O&"},)


async def test_a_parameter_given_twice_is_refused_by_name() -> None:
    answer = await Door().call("GET", "/api/v1/users?page=1&page=2", headers=GOOD)
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"page": ["Must be given only once."]}


async def test_a_query_that_is_not_utf_8_is_refused() -> None:
    answer = await Door().call("GET", "/api/v1/users?q=%FF", headers=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("query", "everywhere"), [("", False), ("?all=true", True), ("?all=false", False)]
)
async def test_log_out_may_mean_every_session(query: str, everywhere: bool) -> None:
    door = Door()
    answer = await door.call("POST", f"/api/v1/auth/logout{query}", headers=GOOD)
    assert answer.status_code == 204
    assert door.auth.last.named == {"everywhere": everywhere}


@pytest.mark.parametrize(
    "query", ["all=1", "all=TRUE", "all=", "all", "every=true", "everywhere=true"]
)
async def test_log_out_takes_no_other_words(query: str) -> None:
    door = Door()
    answer = await door.call("POST", f"/api/v1/auth/logout?{query}", headers=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert door.auth.calls == []
