"""What every test may ask for."""

import pytest

from tests.support.backends import Tally
from tests.support.databases import BACKENDS, Backend, available


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Tally(), "arcana-backends")
    config.addinivalue_line(
        "markers", "one_database: decided before any database is asked, so one will do"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other databases where a test says that one will do."""
    left_out = [item for item in items if _is_repetition(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_repetition(item)]


def _is_repetition(item: pytest.Item) -> bool:
    chosen = getattr(item, "callspec", None)
    database = chosen.params.get("backend", "sqlite") if chosen else "sqlite"
    return database != "sqlite" and item.get_closest_marker("one_database") is not None


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """The database to test on; a test that asks for it runs once on each."""
    name: Backend = request.param
    if absence := available(name):
        pytest.skip(absence)
    return name
