"""The official gRPC client hears exactly what grpclib's does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.doors import Grpcio, grpcio_door
from tests.support.live import Live
from tests.support.people import PASSWORD, Person

pytestmark = pytest.mark.one_database


@pytest_asyncio.fixture
async def official(live: Live) -> AsyncIterator[Grpcio]:
    async with grpcio_door(live.rpc_port) as door:
        yield door


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("who_am_i", {}),
        ("list_users", {"size": 5}),
        ("list_users", {"size": 101}),
        ("stream_users", {}),
        ("stream_users", {"q": "nobody at all"}),
        ("stream_users", {"status": "none"}),
        ("list_roles", {}),
        ("get_user", {"id": "nonexistent-id"}),
        ("delete_role", {"name": "admin"}),
        ("register", {"name": "", "email": "nope", "password": "x"}),
        ("login", {"email": "nobody@example.com", "password": PASSWORD}),
        ("introspect", {"token": "nonsense"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_answers_and_refusals_are_the_same(
    live: Live, official: Grpcio, root: Person, operation: str, arguments: dict[str, Any]
) -> None:
    headers = {"x-request-id": "one-and-the-same"}
    one, other = [
        await door.call(operation, bearer=root.access, headers=headers, **arguments)
        for door in (live.rpc, official)
    ]
    assert (one.ok, one.code, one.message) == (other.ok, other.code, other.message)
    assert (one.body, one.errors) == (other.body, other.errors)
    assert one.request_id == other.request_id == "one-and-the-same"


async def test_it_changes_what_everybody_then_sees(
    live: Live, official: Grpcio, ada: Person
) -> None:
    change = {"id": ada.id, "name": "松田 篤司"}
    assert (await official.call("update_user", bearer=ada.access, **change)).ok
    assert (await live.rest.call("who_am_i", bearer=ada.access)).body["name"] == "松田 篤司"
    assert (await official.call("logout", bearer=ada.access)).ok
    assert (await official.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"
