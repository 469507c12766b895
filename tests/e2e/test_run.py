"""``manage.py run``: one command, in an empty folder, and everything answers."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.processes import Service, manage, started
from tests.support.walks import Admin, walk_with_each

DATA = Path(__file__).parents[1] / "data" / "users-10k.ndjson"
PRINTED = re.compile(r"password (\S+)  \(shown this once\)")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.backend("sqlite")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    """A first start, as chatty as it can be."""
    with started(folder, "run", {"DEBUG": "true", "RATE_LIMITS": "off"}) as running:
        yield running


@pytest.fixture(scope="module")
def admin(service: Service) -> Admin:
    """The admin whose password the first start prints."""
    (password,) = PRINTED.findall(service.output())
    return Admin("admin@example.com", password)


async def test_the_walk_passes_and_the_log_tells_no_secret(service: Service, admin: Admin) -> None:
    secrets = await walk_with_each(service, admin)
    log = PRINTED.sub("", service.output())
    for secret in secrets:
        if len(str(secret)) > 8:
            assert str(secret) not in log
    assert "argon2" not in log
    assert "walker-" not in log
    assert "Traceback" not in log


def test_the_secret_and_the_database_are_kept_for_their_owner(
    service: Service, folder: Path
) -> None:
    del service
    assert stat.S_IMODE((folder / "var" / "jwt_secret").stat().st_mode) == 0o600
    assert (folder / "var" / "arcana.db").exists()


def test_ten_thousand_people_are_imported_beside_the_running_service(
    service: Service, admin: Admin, folder: Path
) -> None:
    done = manage(folder, "user", "import", str(DATA))
    assert done.returncode == 0, done.stderr
    assert "10000" in done.stdout.replace(",", "")
    with httpx.Client(base_url=f"{service.url}/api/v1", trust_env=False) as client:
        login = client.post("/auth/login", json=vars(admin))
        assert login.status_code == 200, login.text
        client.headers["authorization"] = f"Bearer {login.json()['access_token']}"
        assert client.get("/users", params={"size": 1}).json()["total"] == 10_001
        again = manage(folder, "user", "import", str(DATA))
        assert again.returncode == 0, again.stderr
        assert client.get("/users", params={"size": 1}).json()["total"] == 10_001


def test_ctrl_c_ends_it_with_0_and_a_second_start_prints_no_password(
    service: Service, admin: Admin, folder: Path
) -> None:
    assert service.interrupt() == 0
    assert "Traceback" not in service.output()
    with started(folder, "run") as second:
        assert not PRINTED.search(second.output())
        login = httpx.post(f"{second.url}/api/v1/auth/login", json=vars(admin), trust_env=False)
        assert login.status_code == 200
        assert second.terminate() == 0
