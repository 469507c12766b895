"""The big list of naughty strings as names, on every database: stored unchanged, or refused."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.support.live import Live
from tests.support.people import Person

FILE = Path(__file__).parents[1] / "data" / "vectors" / "blns.json"
STRINGS: list[str] = json.loads(FILE.read_text("utf-8"))


@pytest_asyncio.fixture(scope="module")
async def admin(running: Live) -> Person:
    await running.reset()
    return await running.people.signed_in("Root", "admin")


def may_be_a_name(text: str) -> bool:
    """The contract's rule, said once more by hand."""
    bare = text.strip()
    return 1 <= len(bare) <= 255 and not any(unicodedata.category(c) == "Cc" for c in bare)


def test_the_list_is_there() -> None:
    assert len(STRINGS) == 515
    assert sum(map(may_be_a_name, STRINGS)) > 450


async def test_as_a_name_they_are_stored_at_one_door_and_read_at_the_other(
    running: Live, admin: Person
) -> None:
    somebody = await running.people.make("Somebody")
    for number, text in enumerate(STRINGS):
        one, other = (running.rest, running.rpc) if number % 2 else (running.rpc, running.rest)
        answer = await one.call("update_user", bearer=admin.access, id=somebody.id, name=text)
        if may_be_a_name(text):
            assert answer.ok, (text, answer)
            assert answer.body["name"] == text.strip()
            read = await other.call("get_user", bearer=admin.access, id=somebody.id)
            assert read.body == answer.body
        else:
            assert answer.outcome == "invalid_request", text
            assert set(answer.errors) == {"name"}


async def test_as_a_name_they_are_found_again(running: Live, admin: Person) -> None:
    somebody = await running.people.make("Somebody")
    for text in filter(may_be_a_name, STRINGS[::7]):
        change: dict[str, Any] = {"id": somebody.id, "name": text}
        await running.rpc.call("update_user", bearer=admin.access, **change)
        found = await running.rest.call("list_users", bearer=admin.access, q=text, size=100)
        assert somebody.id in {user["id"] for user in found.body["data"]}, text
