"""The rooms of the house are locked: each import contract holds, and breaks when it should."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

PLANTS = [
    ("core", "service/core/clock.py", "import service.infra"),
    ("core", "service/core/clock.py", "import config.settings"),
    ("infra", "service/infra/hashing.py", "import service.users.service"),
    ("transport", "service/transport/errors.py", "import service.users.schemas"),
    ("models", "service/users/models.py", "import service.users.repository"),
    ("repository", "service/users/repository.py", "import service.users.schemas"),
    ("service", "service/users/service.py", "import service.transport.errors"),
    ("service", "service/users/schemas.py", "import service.users.http"),
    ("handlers", "service/users/http.py", "import service.users.repository"),
    ("handlers", "service/users/rpc.py", "import service.roles.models"),
    ("http", "service/transport/http/answers.py", "import service.users.rpc"),
    ("rpc", "service/users/rpc.py", "import service.users.http"),
    ("nouns", "service/users/service.py", "import service.auth.service"),
    ("config", "config/values.py", "import service.infra"),
    ("protos", "protos/arcana_protos/planted.py", "import service.core.errors"),
    ("infra-users", "service/users/service.py", "import service.infra"),
    ("infra-users", "service/users/planted.py", "import service.infra"),
    ("settings-users", "service/users/service.py", "import config.settings"),
    ("sanic", "service/users/service.py", "import sanic"),
    ("grpc", "service/users/service.py", "def late():\n    import grpclib.const"),
    ("grpc", "service/users/service.py", "import betterproto"),
    ("tortoise", "service/users/service.py", "import tortoise"),
    ("drivers", "service/users/service.py", "import redis"),
    ("cryptography", "service/auth/access_tokens.py", "import cryptography"),
    ("telemetry", "service/transport/access.py", "import prometheus_client"),
    ("telemetry", "service/infra/hashing.py", "import opentelemetry.trace"),
    ("templates", "service/notifications/sinks.py", "import jinja2"),
    ("command-line", "service/users/service.py", "import click"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with nothing wrong in it."""
    place = tmp_path_factory.mktemp("house")
    for name in ("service", "config", "protos"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def lint(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", *arguments]
    path = os.pathsep.join([str(place), str(place / "protos")])
    return subprocess.run(
        command,
        cwd=place,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_house_keeps_every_contract(copy: Path) -> None:
    run = lint(copy)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(("contract", "file", "line"), PLANTS)
def test_a_planted_import_breaks_its_contract(
    copy: Path, contract: str, file: str, line: str
) -> None:
    place = copy / file
    before = place.read_text() if place.exists() else None
    place.write_text(f"{before or ''}\n{line}\n")
    try:
        run = lint(copy, "--contract", contract)
    finally:
        place.unlink() if before is None else place.write_text(before)
    assert run.returncode == 1, run.stdout + run.stderr
    (guidance,) = (c["broken_contract_guidance"] for c in CONTRACTS if c["id"] == contract)
    assert "1 broken" in run.stdout
    assert " ".join(guidance.split()) in " ".join(run.stdout.split())


def test_every_contract_is_broken_once_on_purpose() -> None:
    assert {contract for contract, _, _ in PLANTS} == {one["id"] for one in CONTRACTS}
