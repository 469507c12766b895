"""What every test may ask for."""

import pytest

from tests.support.backends import DATABASES, Tally, why_absent


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Tally(), "arcana-backends")


@pytest.fixture(scope="session", params=DATABASES)
def backend(request: pytest.FixtureRequest) -> str:
    """The database to test on; a test that asks for it runs once on each."""
    name: str = request.param
    if absence := why_absent(name):
        pytest.skip(absence)
    return name
