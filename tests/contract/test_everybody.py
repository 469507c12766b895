"""Ten thousand people in thirty languages: through the import, the list, the stream and search."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from service.core.access import SYSTEM
from service.core.text import normal_email
from tests.support.live import Live
from tests.support.people import Person

FILE = Path(__file__).parents[1] / "data" / "users-10k.ndjson"
LINES = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
NAMES = {normal_email(line["email"]): line["name"].strip() for line in LINES}
BATCH = 500

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(scope="module")
async def imported(running: Live) -> Person:
    """Everybody is in the database; an admin, signed in."""
    await running.reset()
    for start in range(0, len(LINES), BATCH):
        batch: list[Any] = LINES[start : start + BATCH]
        outcomes = await running.services.imports.import_batch(SYSTEM, batch)
        assert not any(outcomes)
    return await running.people.signed_in("Root", "admin")


def held(users: list[dict[str, Any]], root: Person) -> dict[str, str]:
    """Names by address; nobody twice."""
    ids = [user["id"] for user in users]
    assert ids == sorted(set(ids))
    return {user["email"]: user["name"] for user in users if user["id"] != root.id}


async def test_everybody_comes_back_unchanged_page_by_page(running: Live, imported: Person) -> None:
    users: list[dict[str, Any]] = []
    query: dict[str, Any] = {}
    while True:
        answer = await running.rest.call("list_users", bearer=imported.access, size=100, **query)
        users += answer.body["data"]
        if answer.body["next_cursor"] is None:
            break
        query = {"cursor": answer.body["next_cursor"]}
    assert held(users, imported) == NAMES


async def test_pages_are_the_same_at_both_doors(running: Live, imported: Person) -> None:
    for page in range(0, 100, 9):
        query: dict[str, Any] = {"bearer": imported.access, "size": 100, "page": page}
        rest = await running.rest.call("list_users", **query)
        grpc = await running.rpc.call("list_users", **query)
        assert rest.body["data"] == grpc.body["data"]


async def test_everybody_comes_back_unchanged_in_one_stream(
    running: Live, imported: Person
) -> None:
    answer = await running.rpc.call("stream_users", bearer=imported.access)
    assert held(answer.body["data"], imported) == NAMES


async def test_pages_by_number_reach_everybody_too(running: Live, imported: Person) -> None:
    total = len(LINES) + 1
    last = -(-total // 100) - 1
    answer = await running.rest.call("list_users", bearer=imported.access, size=100, page=last)
    assert (answer.body["total"], len(answer.body["data"])) == (total, total - last * 100)
    beyond = await running.rest.call("list_users", bearer=imported.access, size=100, page=last + 1)
    assert (beyond.body["data"], beyond.body["next_cursor"]) == ([], None)


async def test_each_status_has_as_many_as_the_file(running: Live, imported: Person) -> None:
    for status in ("active", "inactive", "suspended"):
        wanted = sum(line["status"] == status for line in LINES) + (status == "active")
        answer = await running.rest.call("list_users", bearer=imported.access, status=status)
        assert answer.body["total"] == wanted


@pytest.mark.parametrize("which", range(0, 10_000, 1999))
async def test_anybody_is_found_by_name_and_by_address(
    running: Live, imported: Person, which: int
) -> None:
    email, name = list(NAMES.items())[which]
    for door in (running.rest, running.rpc):
        for term in (name.upper(), email.upper()):
            answer = await door.call("list_users", bearer=imported.access, q=term, size=100)
            assert email in {user["email"] for user in answer.body["data"]}


async def test_imported_people_have_their_profiles_and_no_password(
    running: Live, imported: Person
) -> None:
    line = next(line for line in LINES if line.get("profile", {}).get("bio"))
    email = normal_email(line["email"])
    found = await running.rest.call("list_users", bearer=imported.access, q=email)
    (user,) = found.body["data"]
    told = await running.rpc.call("get_profile", bearer=imported.access, id=user["id"])
    assert {name: told.body[name] for name in line["profile"]} == line["profile"]
    login = await running.rest.call("login", email=email, password="anything")
    assert login.outcome == "invalid_credentials"
    assert user["roles"] == ["user"]
