"""With ``REGISTRATION=closed`` only admins make accounts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.doors import Door
from tests.support.live import Live, live_service
from tests.support.people import PASSWORD, Person

pytestmark = pytest.mark.one_database


@pytest_asyncio.fixture(scope="module")
async def running(database_url: str) -> AsyncIterator[Live]:
    async with live_service(database_url, registration="closed") as live:
        yield live


@pytest.mark.parametrize("email", ["new@example.com", "", "ada-taken@example.com"])
async def test_nobody_registers(live: Live, door: Door, email: str) -> None:
    await live.people.make("Ada", email="ada-taken@example.com")
    account: dict[str, Any] = {"name": "New", "email": email, "password": PASSWORD}
    assert (await door.call("register", **account)).outcome == "registration_closed"


async def test_an_admin_still_makes_accounts(door: Door, root: Person) -> None:
    account: dict[str, Any] = {"name": "New", "email": "n@example.com", "password": PASSWORD}
    assert (await door.call("create_user", bearer=root.access, **account)).ok
    assert (await door.call("login", email="n@example.com", password=PASSWORD)).ok
