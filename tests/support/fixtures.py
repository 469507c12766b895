"""The fixtures of a live service; a folder's conftest imports those it wants."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.databases import BACKENDS, Backend, fresh_database
from tests.support.doors import Door
from tests.support.live import Live, live_service
from tests.support.people import People, Person


@pytest.fixture(scope="session")
def database_url(backend: str) -> Iterator[str]:
    """A migrated database of this run, one for each back end."""
    chosen: Backend = next(name for name in BACKENDS if name == backend)
    with fresh_database(chosen) as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def running(database_url: str) -> AsyncIterator[Live]:
    """A service for all tests of a module; the tests see to their rows themselves.

    Not for the whole run: a process has one connected database, and other modules want theirs.
    """
    async with live_service(database_url) as live:
        yield live


@pytest_asyncio.fixture
async def live(running: Live) -> Live:
    """The running service as after its first start: nobody there, every limit full."""
    await running.reset()
    return running


@pytest.fixture
def people(live: Live) -> People:
    return live.people


@pytest_asyncio.fixture
async def ada(people: People) -> Person:
    """Somebody with an account, signed in."""
    return await people.signed_in("Ada")


@pytest_asyncio.fixture
async def root(people: People) -> Person:
    """An admin, signed in."""
    return await people.signed_in("Root", "admin")


@pytest.fixture(params=["rest", "grpc"])
def door(live: Live, request: pytest.FixtureRequest) -> Door:
    """Both doors in turn: a test that asks for it runs once at each."""
    return live.rest if request.param == "rest" else live.rpc
