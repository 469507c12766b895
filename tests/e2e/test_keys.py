"""``manage.py keys`` and ``token`` beside a service that runs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest

from tests.support.processes import SECRET, Service, manage, started

ADMIN = {"email": "root@example.com", "password": "a password of the first admin"}
LEARNED_WITHIN = 5.0
"""Seconds after which every worker knows what a command did (CONTRACT §4)."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": f"sqlite://{folder / 'arcana.db'}",
        "JWT_SECRET": SECRET,
        "JWT_ALGORITHM": "EdDSA",
        "ADMIN_EMAIL": ADMIN["email"],
        "ADMIN_PASSWORD": ADMIN["password"],
    }


@pytest.fixture(scope="module")
def service(folder: Path, settings: dict[str, str]) -> Iterator[Service]:
    assert "No keys yet" in _ran(folder, settings, "migrate", "up", then=("keys", "list"))
    early = manage(folder, "keys", "rotate", **settings)
    assert (early.returncode, "start that first" in early.stderr) == (1, True)
    with started(folder, "run", settings) as running:
        yield running


def _ran(folder: Path, settings: dict[str, str], *command: str, then: tuple[str, ...] = ()) -> str:
    ran = manage(folder, *command, **settings)
    assert ran.returncode == 0, ran.stderr
    return _ran(folder, settings, *then) if then else ran.stdout


def _states(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """Each key's state, by its name, as the table shows it."""
    head, *lines = _ran(folder, settings, "keys", "list").splitlines()
    assert head.split() == ["KEY", "ALGORITHM", "STATE", "SINCE", "UNTIL"]
    return {line.split()[0]: line.split()[2] for line in lines}


def _log_in(service: Service) -> str:
    answer = httpx.post(f"{service.url}/api/v1/auth/login", json=ADMIN, trust_env=False)
    return str(answer.raise_for_status().json()["access_token"])


def _status(service: Service, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"{service.url}/api/v1/auth/me", headers=headers, trust_env=False).status_code


def test_keys_are_listed_rotated_and_retired_while_the_service_runs(
    service: Service, folder: Path, settings: dict[str, str]
) -> None:
    old = _log_in(service)
    kid = jwt.get_unverified_header(old)["kid"]
    assert _states(folder, settings)[kid] == "signing"
    in_use = manage(folder, "keys", "retire", kid, **settings)
    assert (in_use.returncode, "Rotate the keys first" in in_use.stderr) == (1, True)

    told = _ran(folder, settings, "keys", "rotate")
    rotated = time.monotonic()
    assert f"{kid} is good for older tokens until" in told
    while jwt.get_unverified_header(_log_in(service))["kid"] == kid:
        assert time.monotonic() - rotated < LEARNED_WITHIN
        time.sleep(0.1)
    assert _status(service, old) == 200
    assert _states(folder, settings)[kid] == "verifying"

    _ran(folder, settings, "keys", "retire", kid)
    retired = time.monotonic()
    while _status(service, old) == 200:
        assert time.monotonic() - retired < LEARNED_WITHIN
        time.sleep(0.1)
    assert _status(service, old) == 401
    assert _states(folder, settings)[kid] == "retired"
    for name in ("nobody", "-nobody", "--no-body", "-h_x"):
        nobody = manage(folder, "keys", "retire", name, **settings)
        assert (nobody.returncode, nobody.stderr) == (1, "Error: There is no key of that name.\n")


def test_a_command_with_another_secret_says_so_and_changes_nothing(
    service: Service, folder: Path, settings: dict[str, str]
) -> None:
    before, other = _states(folder, settings), settings | {"JWT_SECRET": SECRET[::-1]}
    ran = manage(folder, "keys", "rotate", **other)
    assert (ran.returncode, "can't be opened with this JWT_SECRET" in ran.stderr) == (1, True)
    assert "* can't be opened" in _ran(folder, other, "keys", "list")
    assert _states(folder, settings) == before


def test_a_token_is_looked_into(service: Service, folder: Path, settings: dict[str, str]) -> None:
    token = _log_in(service)
    good = manage(folder, "token", "inspect", stdin=f"{token}\n", **settings)
    assert good.returncode == 0, good.stderr
    header, claims, *_ = good.stdout.splitlines()
    assert json.loads(header.removeprefix("header"))["alg"] == "EdDSA"
    assert json.loads(claims.removeprefix("claims"))["roles"] == ["admin", "user"]
    assert "good: its session is alive" in good.stdout
    assert token.rpartition(".")[2][:12] not in good.stdout

    headers = {"authorization": f"Bearer {token}"}
    httpx.post(f"{service.url}/api/v1/auth/logout", headers=headers, trust_env=False)
    for text, verdict in {
        token: "its session has ended",
        token[:-8] + "AAAAAAAA": "refused: ",
        "a.b": "refused: not three parts",
    }.items():
        bad = manage(folder, "token", "inspect", stdin=text, **settings)
        assert (bad.returncode, verdict in bad.stdout) == (1, True), bad.stdout


def test_what_a_token_says_is_shown_without_a_database_too(
    service: Service, folder: Path, settings: dict[str, str]
) -> None:
    away = settings | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    ran = manage(folder, "token", "inspect", stdin=_log_in(service), **away)
    assert (ran.returncode, '"roles": ["admin", "user"]' in ran.stdout) == (1, True)
    assert "not known: its key is in the database, which can't be asked" in ran.stdout
