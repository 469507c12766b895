"""The big list of naughty strings in every other text field, at either door in turn.

On one database: what happens to these is decided before any is asked.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.hostile.test_naughty_strings import STRINGS
from tests.support.databases import fresh_database
from tests.support.live import Live
from tests.support.orders import ITEM
from tests.support.people import PASSWORD, Person


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def admin(running: Live) -> Person:
    await running.reset()
    return await running.people.signed_in("Root", "admin")


async def outcomes(
    live: Live, operation: str, field: str, strings: list[str], **rest: Any
) -> dict[str, str]:
    """What became of each string in that field."""
    found = {}
    for door, text in zip(itertools.cycle([live.rest, live.rpc]), strings, strict=False):
        found[text] = (await door.call(operation, **rest, **{field: text})).outcome
    return found


@pytest.mark.parametrize(
    ("operation", "field", "rest"),
    [
        ("login", "email", {"password": PASSWORD}),
        ("login", "password", {"email": "ada@example.com"}),
        ("refresh", "refresh_token", {}),
        ("register", "email", {"name": "New", "password": PASSWORD}),
    ],
)
async def test_at_the_entrance_nobody_is_let_in(
    running: Live, operation: str, field: str, rest: dict[str, Any]
) -> None:
    found = await outcomes(running, operation, field, STRINGS, **rest)
    refused = {"invalid_request", "invalid_credentials", "invalid_token"}
    assert not {text for text, outcome in found.items() if outcome not in refused}


async def test_as_a_password_it_is_taken_or_refused_and_then_good_at_either_door(
    running: Live,
) -> None:
    for text in STRINGS[::7]:
        account: dict[str, Any] = {"name": "New", "email": running.people.fresh_email()}
        made = await running.rest.call("register", password=text, **account)
        if made.ok:
            login = await running.rpc.call("login", email=account["email"], password=text)
            assert login.ok, text
        else:
            assert set(made.errors) == {"password"}, text


@pytest.mark.parametrize(
    ("operation", "field", "expected"),
    [
        ("get_user", "id", {"user_not_found"}),
        ("get_order", "id", {"order_not_found"}),
        ("list_orders", "user_id", {"invalid_request"}),
        ("list_orders", "status", {"invalid_request"}),
        ("delete_role", "name", {"role_not_found"}),
        ("create_role", "name", {"ok", "role_taken", "invalid_request"}),
        ("list_users", "q", {"ok", "invalid_request"}),
        ("list_users", "cursor", {"invalid_request"}),
        ("introspect", "token", {"ok"}),
    ],
)
async def test_anywhere_else_it_is_an_answer_and_never_a_bug(
    running: Live, admin: Person, operation: str, field: str, expected: set[str]
) -> None:
    strings = [text for text in STRINGS if text and text not in (".", "..")]  # other routes
    found = await outcomes(running, operation, field, strings[::2], bearer=admin.access)
    assert not {text: outcome for text, outcome in found.items() if outcome not in expected}


@pytest.mark.parametrize("field", ["bio", "avatar_url", "phone"])
async def test_in_a_profile_it_is_kept_unchanged_or_refused_by_field(
    running: Live, field: str
) -> None:
    ada = await running.people.signed_in("Ada")
    for number, text in enumerate(STRINGS[::2]):
        door = (running.rest, running.rpc)[number % 2]
        change: dict[str, Any] = {"id": ada.id, field: text}
        answer = await door.call("update_profile", bearer=ada.access, **change)
        if answer.ok:
            assert (answer.body[field] or "") == text
        else:
            assert set(answer.errors) == {field}


@pytest.mark.parametrize("field", ["sku", "name", "unit_price"])
async def test_in_a_line_of_an_order_it_is_kept_trimmed_or_refused_by_field(
    running: Live, admin: Person, field: str
) -> None:
    for number, text in enumerate(STRINGS[::2]):
        door = (running.rest, running.rpc)[number % 2]
        order: dict[str, Any] = {"currency": "CLF", "items": [{**ITEM, field: text}]}
        answer = await door.call("create_order", bearer=admin.access, **order)
        if field == "unit_price" and answer.ok:
            assert answer.body["items"][0][field].rstrip(".0") == text.rstrip(".0")
        elif answer.ok:
            assert answer.body["items"][0][field] == text.strip()
        else:
            assert list(answer.errors) == [f"items.0.{field}"]
