"""Profiles: what users tell about themselves."""

from typing import Any

import pytest

from tests.support.doors import CLEAR, Door
from tests.support.live import Live
from tests.support.people import Person

FULL = {
    "avatar_url": "https://img.example.com/ada.png?size=2&x=%C3%A9#top",
    "bio": "Mathematician.\n\tWrites notes.\r\nمرحبا 👩🏽‍💻",
    "phone": "+441632960961",
}
EMPTY = {"avatar_url": None, "bio": None, "phone": None, "updated_at": None}


async def told(door: Door, person: Person, **fields: Any) -> dict[str, Any]:
    answer = await door.call("update_profile", bearer=person.access, id=person.id, **fields)
    assert answer.ok, answer.errors
    return answer.body


async def test_a_profile_is_empty_until_something_is_told(door: Door, ada: Person) -> None:
    answer = await door.call("get_profile", bearer=ada.access, id=ada.id)
    assert answer.body == {"user_id": ada.id} | EMPTY


async def test_what_is_told_comes_back_unchanged(live: Live, door: Door, ada: Person) -> None:
    body = await told(door, ada, **FULL)
    stamp = live.clock().isoformat().replace("+00:00", "Z")
    assert body == {"user_id": ada.id, "updated_at": stamp} | FULL
    for other in (live.rest, live.rpc):
        assert (await other.call("get_profile", bearer=ada.access, id=ada.id)).body == body


async def test_only_the_given_fields_change(live: Live, door: Door, ada: Person) -> None:
    await told(door, ada, **FULL)
    live.clock.forward(seconds=5)
    body = await told(door, ada, bio="New")
    assert {name: body[name] for name in FULL} == FULL | {"bio": "New"}
    assert body["updated_at"] == live.clock().isoformat().replace("+00:00", "Z")


async def test_each_field_can_be_cleared_alone(door: Door, ada: Person) -> None:
    await told(door, ada, **FULL)
    for field in FULL:
        assert (await told(door, ada, **{field: CLEAR}))[field] is None
    body = (await door.call("get_profile", bearer=ada.access, id=ada.id)).body
    assert {name: body[name] for name in FULL} == dict.fromkeys(FULL)


async def test_an_empty_change_is_refused(door: Door, ada: Person) -> None:
    answer = await door.call("update_profile", bearer=ada.access, id=ada.id)
    assert answer.outcome == "invalid_request"


async def test_an_admin_reads_and_changes_anyones(door: Door, ada: Person, root: Person) -> None:
    changed = await door.call("update_profile", bearer=root.access, id=ada.id, bio="By admin")
    assert changed.ok
    read = await door.call("get_profile", bearer=root.access, id=ada.id)
    assert read.body == changed.body


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("avatar_url", "javascript:alert(1)"),
        ("avatar_url", "ftp://example.com/a.png"),
        ("avatar_url", "//example.com/a.png"),
        ("avatar_url", "https://"),
        ("avatar_url", "https://user:pass@example.com/"),
        ("avatar_url", "https://example.com:99999/"),
        ("avatar_url", "https://example.com/a b"),
        ("avatar_url", "https://exämple.com/"),
        ("avatar_url", "https://example.com/\n"),
        ("avatar_url", "https://[::1"),
        ("avatar_url", "https://example.com/" + "x" * 481),
        ("bio", "x" * 1001),
        ("bio", "a\x00b"),
        ("bio", "\x1b[31m"),
        ("phone", "441632960961"),
        ("phone", "+0441632960961"),
        ("phone", "+44 1632 960961"),
        ("phone", "+4416329609612345"),
        ("phone", "+44163296096x"),
        ("phone", "+٤٤١٦٣٢"),
        ("phone", "+441632960961\n"),
        ("phone", "+"),
    ],
)
async def test_a_field_that_breaks_its_rule_is_refused(
    door: Door, ada: Person, field: str, value: str
) -> None:
    answer = await door.call("update_profile", bearer=ada.access, id=ada.id, **{field: value})
    assert answer.outcome == "invalid_request"
    assert set(answer.errors) == {field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("avatar_url", "https://example.com/" + "x" * 480),
        ("avatar_url", "HTTP://example.com"),
        ("avatar_url", "http://127.0.0.1:8080/a?b=c"),
        ("avatar_url", "https://[2001:db8::1]/a.png"),
        ("bio", "𝔸" * 1000),
        ("phone", "+12"),
        ("phone", "+123456789012345"),
    ],
)
async def test_a_field_may_go_to_its_bound(door: Door, ada: Person, field: str, value: str) -> None:
    assert (await told(door, ada, **{field: value}))[field] == value


async def test_a_profile_is_nobody_elses_business(live: Live, door: Door, ada: Person) -> None:
    bob = await live.people.signed_in("Bob")
    answer = await door.call("get_profile", bearer=bob.access, id=ada.id)
    assert answer.outcome == "forbidden"


@pytest.mark.one_database
async def test_rest_refuses_an_unknown_field_of_a_profile(live: Live, ada: Person) -> None:
    change = {"user_id": "x", "bio": "y"}
    answer = await live.rest.call("update_profile", bearer=ada.access, id=ada.id, **change)
    assert answer.errors == {"user_id": ["Unknown field."]}
