"""The pages tell of what is there: links, settings, codes, commands."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import click
import pytest
from grpclib.const import Status

from config.settings import Settings
from service.commands.main import cli
from service.core.errors import Refusal
from service.transport.errors import BUG, INTERNAL_CODE, WIRE
from service.transport.http.errors import _OF_SANIC
from service.transport.rpc.faults import Fault

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
DECISIONS = sorted(ROOT.glob("docs/decisions/*.md"))
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
NAME = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|\b[A-Z]{2,}(?==)")
PYTHON = re.compile(r"```python\n.*?```", re.DOTALL)
MANAGE = re.compile(r"manage\.py((?: [a-z][a-z-]*)+)")
MAKE = re.compile(r"(?:^|`)make ([a-z][a-z-]*)", re.MULTILINE)
CODE = re.compile(r"^\| `(\w+)` \| ([\d, –]+) \| ([A-Z_]+|–) \|", re.MULTILINE)
OTHERS = {
    "TCP_NODELAY",
    "SSL_CERT",
    "OTEL_TRACES_SAMPLER",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
}
"""Names of things outside."""

T = TypeVar("T")
Row = tuple[str, str]


def of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def kinds(root: type[T]) -> Iterator[type[T]]:
    """Every class below ``root`` that the service defines."""
    for kind in root.__subclasses__():
        if kind.__module__.startswith("service."):
            yield kind
        yield from kinds(kind)


@pytest.fixture(name="rows")
def documented_codes() -> dict[str, Row]:
    """The table of codes: what each is at REST and at gRPC."""
    text = (ROOT / "docs/api.md").read_text()
    return {code: (http, grpc) for code, http, grpc in CODE.findall(text)}


@pytest.mark.parametrize("page", [*PAGES, *DECISIONS], ids=of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=of)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    tests = " ".join(path.read_text() for path in sorted(ROOT.glob("tests/support/*.py")))
    known = {name.upper() for name in Settings.model_fields} | {status.name for status in Status}
    known |= OTHERS | set(re.findall(r"\b[A-Z_]+\b", (ROOT / "Makefile").read_text() + tests))
    named = {n.removesuffix("_FILE") for n in NAME.findall(PYTHON.sub("", page.read_text()))}
    assert named - known == set()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "config/.env.example"], ids=of)
def test_every_command_that_is_named_exists(page: Path) -> None:
    for words in MANAGE.findall(page.read_text()):
        command: click.Command = cli
        for word in words.split():
            if isinstance(command, click.Group):
                assert word in command.commands, f"manage.py{words}"
                command = command.commands[word]


@pytest.mark.parametrize("page", PAGES, ids=of)
def test_every_target_of_make_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(MAKE.findall(page.read_text())) - targets == set()


def test_the_table_of_codes_is_whole_and_has_none_that_is_not_there(rows: dict[str, Row]) -> None:
    codes = {kind.code for kind in kinds(Refusal)} | {kind.code for kind in kinds(Fault)}
    codes |= {failure.code for failure in _OF_SANIC.values()} | {INTERNAL_CODE}
    assert rows.keys() == codes


def test_the_table_of_codes_has_the_statuses_of_both_doors(rows: dict[str, Row]) -> None:
    for refusal in kinds(Refusal):
        http, grpc = rows[refusal.code]
        wire = WIRE[refusal.kind]
        assert str(wire.http.value) in http
        assert grpc in (wire.grpc.name, "–")
    for fault in kinds(Fault):
        assert rows[fault.code][1] == fault.status.name
    for failure in _OF_SANIC.values():
        assert str(failure.status) in rows[failure.code][0]
    assert rows[INTERNAL_CODE] == (str(BUG.http.value), BUG.grpc.name)


def test_the_changelog_opens_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(heading for heading in headings if heading != "Unreleased") == version


def test_the_whole_file_on_the_page_about_testing_runs(tmp_path: Path) -> None:
    whole = PYTHON.findall((ROOT / "docs/testing.md").read_text())[-1]
    (tmp_path / "test_whole.py").write_text(whole.strip("`").removeprefix("python"))
    settings = {"asyncio_mode": "auto", "filterwarnings": "error"}
    settings |= {f"asyncio_default_{what}_loop_scope": "session" for what in ("test", "fixture")}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (tmp_path / "pytest.ini").write_text("\n".join(["[pytest]", *lines]))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "1 passed" in ran.stdout, ran.stdout


def test_a_page_that_lies_is_found() -> None:
    assert LINK.findall("[gone](no/such.md#part), [there](https://x.y)") == [
        "no/such.md",
        "https://x.y",
    ]
    assert NAME.findall("`NO_SUCH_SETTING`, WORKERS=2, REST") == ["NO_SUCH_SETTING", "WORKERS"]
    assert MANAGE.findall("`manage.py no-such thing` --x") == [" no-such thing"]
    assert CODE.findall("| `gone` | 413, 414 | – | x |") == [("gone", "413, 414", "–")]
