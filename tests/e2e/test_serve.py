"""``manage.py serve``: two workers over a database server and Redis, after ``migrate up``."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backends import why_absent
from tests.support.databases import Backend, fresh_database
from tests.support.processes import SECRET, Service, manage, started
from tests.support.walks import Admin, walk_with_each

ADMIN = Admin("Root@Example.com", "a password of the first admin")
REDIS_URL = "redis://127.0.0.1:6379/0"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.backend("redis")]


@pytest.fixture(scope="module", params=["postgres", "mysql"])
def settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    chosen: Backend = request.param
    for name in (chosen, "redis"):
        if absence := why_absent(name):
            pytest.skip(absence)
    with fresh_database(chosen, migrated=False) as url:
        yield {
            "DATABASE_URL": url,
            "REDIS_URL": REDIS_URL,
            "CACHE_PREFIX": f"test-{secrets.token_hex(6)}:",
            "JWT_SECRET": SECRET,
            "WORKERS": "2",
            "ADMIN_EMAIL": ADMIN.email,
            "ADMIN_PASSWORD": ADMIN.password,
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def service(settings: dict[str, str], folder: Path) -> Iterator[Service]:
    behind = manage(folder, "serve", **settings)
    assert behind.returncode != 0
    assert "migrate up" in behind.stderr
    migrated = manage(folder, "migrate", "up", **settings)
    assert migrated.returncode == 0, migrated.stderr
    with started(folder, "serve", settings) as running:
        yield running


async def test_the_walk_passes_on_every_worker_and_the_log_tells_no_secret(
    service: Service, settings: dict[str, str]
) -> None:
    told: list[str] = []
    for _ in range(3):  # each client's connection comes to either worker
        told += await walk_with_each(service, ADMIN)
    log = service.output()
    for secret in (*told, settings["JWT_SECRET"], ADMIN.email, ADMIN.email.lower()):
        if len(str(secret)) > 8:
            assert str(secret) not in log
    assert "Traceback" not in log
    assert "walker-" not in log


def test_sigterm_ends_it_with_0(service: Service) -> None:
    assert service.terminate() == 0
    assert "Traceback" not in service.output()
