"""What every test may ask for."""

import pytest

from tests.support.backends import Tally
from tests.support.databases import BACKENDS, Backend, available


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Tally(), "arcana-backends")


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """The database to test on; a test that asks for it runs once on each."""
    name: Backend = request.param
    if absence := available(name):
        pytest.skip(absence)
    return name
