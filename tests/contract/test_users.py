"""Users: made, read, changed and deleted, with every refusal on the way."""

import re
from typing import Any

import pytest

from service.core.access import SYSTEM
from service.core.ids import canonical, new_id
from tests.support.clock import START
from tests.support.doors import Door, answer_of
from tests.support.live import Live
from tests.support.operations import API
from tests.support.people import PASSWORD, People, Person

SHAPE = {"id", "email", "name", "status", "email_verified", "roles", "created_at", "updated_at"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def grace(**other: Any) -> dict[str, Any]:
    return {"name": "Grace", "email": "grace@example.com", "password": PASSWORD} | other


# Making


async def test_a_created_user_has_exactly_the_fields_of_the_contract(
    door: Door, root: Person
) -> None:
    answer = await door.call("create_user", bearer=root.access, **grace())
    assert answer.ok
    body = answer.body
    assert set(body) == SHAPE
    made = canonical(body["id"])
    assert made is not None
    assert made.version == 7
    assert INSTANT.fullmatch(body["created_at"])
    assert INSTANT.fullmatch(body["updated_at"])
    assert (body["email"], body["name"], body["status"]) == ("grace@example.com", "Grace", "active")
    assert (body["email_verified"], body["roles"]) == (False, ["user"])


async def test_a_created_user_is_where_location_says(live: Live, root: Person) -> None:
    made = await live.rest.call("create_user", bearer=root.access, **grace())
    assert made.headers["location"] == f"{API}/users/{made.body['id']}"
    found = await live.rest.client.get(
        made.headers["location"], headers={"authorization": f"Bearer {root.access}"}
    )
    assert found.json() == made.body


async def test_a_created_user_can_log_in_at_once(door: Door, root: Person) -> None:
    await door.call("create_user", bearer=root.access, **grace())
    assert (await door.call("login", email="Grace@Example.com ", password=PASSWORD)).ok


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  Grace@Example.COM ", "grace@example.com"),
        ("Grace+Notes@Example.com", "grace+notes@example.com"),
        ("grace@BÜCHER.example", "grace@xn--bcher-kva.example"),
        ("GRE\u0301TA@example.com", "gr\u00e9ta@example.com"),
        ("Straße@example.com", "straße@example.com"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
async def test_an_address_is_stored_in_its_normal_form(
    door: Door, root: Person, typed: str, stored: str
) -> None:
    answer = await door.call("create_user", bearer=root.access, **grace(email=typed))
    assert answer.body["email"] == stored


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("grace@example.com", "grace@example.com"),
        ("grace@example.com", "GRACE@EXAMPLE.COM"),
        ("grace@example.com", "\tgrace@example.com "),
        ("grace@bücher.example", "grace@xn--bcher-kva.example"),
        ("gre\u0301ta@example.com", "GR\u00c9TA@example.com"),
    ],
)
async def test_an_address_is_taken_in_every_spelling(
    door: Door, root: Person, first: str, second: str
) -> None:
    assert (await door.call("create_user", bearer=root.access, **grace(email=first))).ok
    again = await door.call("create_user", bearer=root.access, **grace(email=second))
    assert again.outcome == "email_taken"
    registered = await door.call("register", **grace(email=second))
    assert registered.outcome == "email_taken"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("rene@example.com", "ren\u00e9@example.com"),
        ("strasse@example.com", "straße@example.com"),
        ("grace@example.com", "grace+1@example.com"),
        ("σας@example.com", "σασ@example.com"),
    ],
)
async def test_addresses_that_only_look_alike_are_two(
    door: Door, root: Person, first: str, second: str
) -> None:
    for email in (first, second):
        answer = await door.call("create_user", bearer=root.access, **grace(email=email))
        assert answer.body["email"] == email


@pytest.mark.parametrize(
    "name",
    [
        "حدیث هدایت",
        "松田 篤司",
        "Zoë D’Ångelo-Núñez",
        "नेहा शर्मा",
        "אסתר לוי",
        "김민준",
        "👩🏽‍💻 𝓐𝓭𝓪",
        "e\u0301 and \u00e9",
        "A\u200dB",
        "'; DROP TABLE users; --",
        "<b>Ada</b>",
        "{{7*7}} ${x} %s %00",
        "null",
        "x" * 255,
        "𝔸" * 255,
    ],
)
async def test_a_name_comes_back_unchanged_in_every_script(
    door: Door, root: Person, name: str
) -> None:
    made = await door.call("create_user", bearer=root.access, **grace(name=f"  {name}\u3000"))
    assert made.body["name"] == name
    read = await door.call("get_user", bearer=root.access, id=made.body["id"])
    assert read.body == made.body


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 256),
        ("name", "a\x00b"),
        ("name", "a\nb"),
        ("name", "\x1b[31mred"),
        ("name", "a\x85b"),
        ("email", ""),
        ("email", "nope"),
        ("email", "a@b"),
        ("email", "a b@example.com"),
        ("email", "a@example.com\nBcc: b@example.com"),
        ("email", "Ada <ada@example.com>"),
        ("email", "a" * 250 + "@example.com"),
        ("email", "x" * 5000),
        ("password", ""),
        ("password", "seven77"),
        ("password", "e\u0301e\u0301e\u0301e\u0301"),
        ("password", "x" * 1025),
        ("password", "ü" * 513),
        ("password", "password123"),
        ("password", "Password1"),
        ("password", "grace@example.com"),
        ("password", "Grace1234567"),
    ],
)
async def test_a_field_that_breaks_its_rule_is_named_and_not_repeated(
    door: Door, root: Person, field: str, value: str
) -> None:
    for operation, bearer in (("create_user", root.access), ("register", None)):
        answer = await door.call(operation, bearer=bearer, **grace(**{field: value}))
        assert answer.outcome == "invalid_request"
        assert set(answer.errors) == {field}
        assert len(value) < 8 or value not in str(answer.errors)


@pytest.mark.parametrize(
    "password",
    [
        "8 chars.",
        "p" * 1023 + "q",
        "ü" * 512,
        " leading and trailing ",
        "\x00\x01\x02 nul and friends",
        "👩🏽‍💻👩🏽‍💻👩🏽‍💻👩🏽‍💻",
        "пароль надёжный",
    ],
)
async def test_any_other_password_is_taken_whole(door: Door, root: Person, password: str) -> None:
    made = await door.call("create_user", bearer=root.access, **grace(password=password))
    assert made.ok
    email = made.body["email"]
    assert (await door.call("login", email=email, password=password)).ok
    wrong = await door.call("login", email=email, password=password[:-1])
    assert wrong.outcome == "invalid_credentials"


async def test_a_password_is_the_same_however_the_keyboard_composes_it(
    door: Door, root: Person
) -> None:
    await door.call("create_user", bearer=root.access, **grace(password="caf\u00e9 au lait"))
    assert (await door.call("login", email="grace@example.com", password="cafe\u0301 au lait")).ok


@pytest.mark.one_database
async def test_every_field_at_fault_is_named_at_once(door: Door, root: Person) -> None:
    answer = await door.call("create_user", bearer=root.access, name="", email="x", password="y")
    assert set(answer.errors) == {"name", "email", "password"}


@pytest.mark.one_database
async def test_a_missing_field_is_named(live: Live, root: Person) -> None:
    answer = await live.rest.call("create_user", bearer=root.access, name="Grace")
    assert answer.errors == {
        "email": ["This field is required."],
        "password": ["This field is required."],
    }


@pytest.mark.one_database
async def test_an_unknown_field_is_refused_at_rest(live: Live, root: Person) -> None:
    answer = await live.rest.call("create_user", bearer=root.access, **grace(roles=["admin"]))
    assert answer.errors == {"roles": ["Unknown field."]}


# Reading


async def test_a_user_reads_itself_and_an_admin_reads_anyone(
    door: Door, ada: Person, root: Person
) -> None:
    own = await door.call("get_user", bearer=ada.access, id=ada.id)
    assert own.body["email"] == ada.email
    assert (await door.call("get_user", bearer=root.access, id=ada.id)).body == own.body
    assert (await door.call("who_am_i", bearer=ada.access)).body == own.body


async def test_both_doors_show_the_same_user(live: Live, ada: Person) -> None:
    shown = [await d.call("get_user", bearer=ada.access, id=ada.id) for d in (live.rest, live.rpc)]
    assert shown[0].body == shown[1].body


OF_A_USER: dict[str, dict[str, Any]] = {
    "get_user": {},
    "update_user": {"name": "New"},
    "set_user_status": {"status": "active"},
    "delete_user": {},
    "get_profile": {},
    "update_profile": {"bio": "New"},
}


@pytest.mark.parametrize("operation", OF_A_USER)
async def test_an_id_that_is_unknown_or_not_canonical_is_not_found(
    door: Door, root: Person, ada: Person, operation: str
) -> None:
    for unknown in (
        str(new_id()),
        "nonexistent-id",
        "0",
        "None",
        ada.id.upper(),
        ada.id.replace("-", ""),
        f"{{{ada.id}}}",
        f" {ada.id}",
        f"{ada.id}\n",
        f"{ada.id}' OR '1'='1",
        "x" * 1000,
        "٣",
    ):
        if unknown == ada.id:
            continue
        answer = await door.call(operation, bearer=root.access, id=unknown, **OF_A_USER[operation])
        assert answer.outcome == "user_not_found", unknown


@pytest.mark.parametrize("operation", OF_A_USER)
async def test_a_stranger_hears_the_same_of_a_row_that_exists_and_of_one_that_does_not(
    door: Door, ada: Person, people: People, operation: str
) -> None:
    bob = await people.signed_in("Bob")
    for row in (ada.id, str(new_id()), "nonexistent-id"):
        answer = await door.call(operation, bearer=bob.access, id=row, **OF_A_USER[operation])
        assert answer.outcome == "forbidden"


# Changing


async def test_a_changed_user_is_changed_and_dated(live: Live, door: Door, ada: Person) -> None:
    live.clock.forward(seconds=90)
    answer = await door.call("update_user", bearer=ada.access, id=ada.id, name=" Countess ")
    assert answer.body["name"] == "Countess"
    assert answer.body["created_at"] == START.isoformat().replace("+00:00", "Z")
    assert answer.body["updated_at"] > answer.body["created_at"]
    assert (await door.call("who_am_i", bearer=ada.access)).body == answer.body


@pytest.mark.one_database
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("whose", ["me", "{id}"])
async def test_put_changes_only_what_is_given_as_patch_does(
    live: Live, ada: Person, method: str, whose: str
) -> None:
    path = f"{API}/users/{whose.format(id=ada.id)}"
    response = await live.rest.client.request(
        method, path, json={"name": "New"}, headers={"authorization": f"Bearer {ada.access}"}
    )
    assert (response.json()["name"], response.json()["email"]) == ("New", ada.email)


async def test_an_empty_change_is_refused(door: Door, ada: Person) -> None:
    for nothing in ({}, {"current_password": PASSWORD}):
        answer = await door.call("update_user", bearer=ada.access, id=ada.id, **nothing)
        assert answer.outcome == "invalid_request"


@pytest.mark.one_database
@pytest.mark.parametrize("field", ["name", "email", "current_password"])
async def test_null_is_refused_where_nothing_may_be_empty(
    live: Live, ada: Person, field: str
) -> None:
    change = {"name": "New", field: None}
    answer = await live.rest.call("update_user", bearer=ada.access, id=ada.id, **change)
    assert set(answer.errors) == {field}


@pytest.mark.one_database
@pytest.mark.parametrize(("field", "value"), [("name", ""), ("name", "\x00"), ("email", "nope")])
async def test_a_change_keeps_the_rules_of_its_fields(
    door: Door, root: Person, ada: Person, field: str, value: str
) -> None:
    answer = await door.call("update_user", bearer=root.access, id=ada.id, **{field: value})
    assert set(answer.errors) == {field}


async def test_whoever_changes_their_own_address_gives_their_password(
    door: Door, ada: Person
) -> None:
    change = {"id": ada.id, "email": "New@Example.com"}
    asked = await door.call("update_user", bearer=ada.access, **change)
    assert set(asked.errors) == {"current_password"}
    wrong = await door.call("update_user", bearer=ada.access, current_password="no", **change)
    assert wrong.outcome == "wrong_password"
    assert (await door.call("who_am_i", bearer=ada.access)).body["email"] == ada.email
    right = await door.call(
        "update_user", bearer=ada.access, current_password=ada.password, **change
    )
    assert right.body["email"] == "new@example.com"
    assert (await door.call("login", email=ada.email, password=PASSWORD)).code
    assert (await door.call("login", email="new@example.com", password=PASSWORD)).ok


async def test_an_admin_changes_their_own_address_with_the_password_too(
    door: Door, root: Person
) -> None:
    answer = await door.call("update_user", bearer=root.access, id=root.id, email="r@example.com")
    assert set(answer.errors) == {"current_password"}


async def test_a_changed_address_is_unverified_again(live: Live, door: Door, root: Person) -> None:
    line = {"name": "Grace", "email": "grace@example.com", "email_verified": True}
    assert await live.services.imports.import_batch(SYSTEM, [line]) == [None]
    found = await door.call("list_users", bearer=root.access, q="grace")
    (user,) = found.body["data"]
    assert user["email_verified"] is True
    for email, verified in ((" GRACE@example.com", True), ("new@example.com", False)):
        change = {"id": user["id"], "email": email}
        answer = await door.call("update_user", bearer=root.access, **change)
        assert answer.body["email_verified"] is verified


async def test_an_address_of_somebody_else_cannot_be_taken(
    door: Door, root: Person, ada: Person
) -> None:
    change = {"id": root.id, "email": ada.email.upper(), "current_password": root.password}
    answer = await door.call("update_user", bearer=root.access, **change)
    assert answer.outcome == "email_taken"
    assert (await door.call("get_user", bearer=root.access, id=root.id)).body["email"] == root.email


async def test_ones_own_address_again_is_no_conflict(door: Door, ada: Person) -> None:
    change = {"id": ada.id, "email": ada.email.upper(), "name": "New"}
    answer = await door.call("update_user", bearer=ada.access, **change)
    assert (answer.body["email"], answer.body["name"]) == (ada.email, "New")


async def test_a_left_address_is_free_again(door: Door, root: Person, ada: Person) -> None:
    change = {"id": ada.id, "email": "new@example.com"}
    assert (await door.call("update_user", bearer=root.access, **change)).ok
    made = await door.call("create_user", bearer=root.access, **grace(email=ada.email))
    assert made.ok


# Status


@pytest.mark.parametrize("status", ["suspended", "inactive"])
async def test_a_barred_user_can_do_nothing_with_tokens_from_before(
    door: Door, root: Person, ada: Person, status: str
) -> None:
    barred = await door.call("set_user_status", bearer=root.access, id=ada.id, status=status)
    assert barred.body["status"] == status
    assert (await door.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"
    assert (await door.call("refresh", refresh_token=ada.refresh)).outcome == "invalid_token"
    login = await door.call("login", email=ada.email, password=PASSWORD)
    assert login.outcome == "invalid_credentials"


async def test_a_user_let_back_in_logs_in_anew_and_old_tokens_stay_dead(
    door: Door, root: Person, ada: Person
) -> None:
    for status in ("suspended", "active"):
        await door.call("set_user_status", bearer=root.access, id=ada.id, status=status)
    assert (await door.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"
    assert (await door.call("refresh", refresh_token=ada.refresh)).outcome == "invalid_token"
    assert (await door.call("login", email=ada.email, password=PASSWORD)).ok


@pytest.mark.one_database
@pytest.mark.parametrize("status", ["", "ACTIVE", "Active", "deleted", "active ", "0"])
async def test_a_status_is_one_of_three_words(
    door: Door, root: Person, ada: Person, status: str
) -> None:
    answer = await door.call("set_user_status", bearer=root.access, id=ada.id, status=status)
    assert set(answer.errors) == {"status"}


# Deleting


async def test_a_deleted_user_is_gone_with_all_that_was_theirs(
    live: Live, door: Door, root: Person, people: People
) -> None:
    ada = await people.signed_in("Ada", "service")
    assert (await door.call("update_profile", bearer=ada.access, id=ada.id, bio="Hello")).ok
    assert (await door.call("delete_user", bearer=root.access, id=ada.id)).ok
    gone = await door.call("get_user", bearer=root.access, id=ada.id)
    assert gone.outcome == "user_not_found"
    again = await door.call("delete_user", bearer=root.access, id=ada.id)
    assert again.outcome == "user_not_found"
    assert await _rows_of_others(live, but=root) == {
        "users": 0,
        "user_profiles": 0,
        "user_roles": 0,
        "sessions": 0,
    }


async def _rows_of_others(live: Live, but: Person) -> dict[str, int]:
    counts = {}
    for table in ("users", "user_profiles", "user_roles", "sessions"):
        _, rows = await live.database.client.execute_query(f"SELECT * FROM {table}")
        owner = "id" if table == "users" else "user_id"
        others = [
            row for row in rows if str(row[owner]).replace("-", "") != but.id.replace("-", "")
        ]
        counts[table] = len(others)
    return counts


async def test_a_deleted_user_can_do_nothing_with_tokens_from_before(
    door: Door, root: Person, ada: Person
) -> None:
    await door.call("delete_user", bearer=root.access, id=ada.id)
    assert (await door.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"
    assert (await door.call("refresh", refresh_token=ada.refresh)).outcome == "invalid_token"
    login = await door.call("login", email=ada.email, password=PASSWORD)
    assert login.outcome == "invalid_credentials"


async def test_the_address_of_a_deleted_user_is_free_again(
    door: Door, root: Person, ada: Person
) -> None:
    await door.call("delete_user", bearer=root.access, id=ada.id)
    made = await door.call("create_user", bearer=root.access, **grace(email=ada.email))
    assert made.ok
    assert made.body["id"] != ada.id


@pytest.mark.one_database
async def test_head_is_get_without_the_body(live: Live, ada: Person) -> None:
    headers = {"authorization": f"Bearer {ada.access}"}
    path = f"{API}/users/{ada.id}"
    read = await live.rest.client.get(path, headers=headers)
    head = await live.rest.client.head(path, headers=headers)
    assert answer_of(read).ok
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == read.headers["content-length"]
