"""``manage.py new noun`` in a copy of this checkout: the result is as good as what was there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.commands.scaffold.names import Names
from service.commands.scaffold.places import EDITS, FILES, MADE

ROOT = Path(__file__).resolve().parents[2]
COMPILER = ".venv-protos"
NAMES = Names.of("extraordinarily_long_spare_part")
"""As long as may be: whatever has no room for it breaks over a line's end."""
RULES = (
    *("architecture/test_docs.py", "architecture/test_policy.py", "architecture/test_sizes.py"),
    *("unit/test_http_openapi.py", "unit/test_policy.py"),
    "contract/test_policy.py",
    "contract/test_logs.py",
    "hostile/test_openapi_fuzz.py",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        "NOUN_CHECK" not in os.environ,
        reason="it takes minutes, so `make noun-check` runs it",
    ),
]


def run(place: Path, *command: str | Path) -> str:
    """What a command said that went well in ``place``, all of whose code is its own."""
    path = f"{place}{os.pathsep}{place / 'protos'}"
    ran = subprocess.run(
        list(map(str, command)),
        cwd=place,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert ran.returncode == 0, f"{' '.join(map(str, command))}\n{ran.stdout}"
    return ran.stdout


def python(place: Path, *arguments: str) -> str:
    return run(place, sys.executable, *arguments)


def tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would know of this checkout, committed, with the noun written into it."""
    place = tmp_path_factory.mktemp("copy")
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    known = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False)
    if known.returncode:
        pytest.skip("no clone of git's, so nobody knows which files are the checkout's")
    for name in filter(None, known.stdout.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    run(place, "git", "init", "--quiet")
    (place / ".git/info/exclude").write_text(f"{COMPILER}\n")
    run(place, "git", "add", "--all")
    author = ("-c", "user.name=Tests", "-c", "user.email=tests@example.com")
    run(place, "git", *author, "-c", "commit.gpgsign=false", "commit", "--quiet", "-m", "As it was")
    _lend(place)
    python(place, "manage.py", "new", "noun", NAMES.noun)
    return place


def _lend(place: Path) -> None:
    """What would be made again otherwise: the compiler of protos, and what mypy knows."""
    if (ROOT / ".mypy_cache").exists():
        shutil.copytree(ROOT / ".mypy_cache", place / ".mypy_cache")
    if (ROOT / COMPILER / "locked").exists():
        (place / COMPILER).symlink_to(ROOT / COMPILER)
        return
    made = subprocess.run([sys.executable, "protos/generate.py", "--check"], cwd=place, check=False)
    if made.returncode and not os.environ.get("CI"):
        pytest.skip("the compiler cannot be installed here; with CI set this is a failure")


def test_git_sees_the_files_that_contributing_lists_and_no_others(copy: Path) -> None:
    seen = run(copy, "git", "status", "--porcelain", "--untracked-files=all").splitlines()
    new = {line[3:] for line in seen if line.startswith("?? ")}
    (migration,) = (path for path in new if path.startswith("migrations/"))
    assert migration.endswith(NAMES.fill("_$nouns.py"))
    stubs = NAMES.fill(MADE[0])
    assert new == {*map(NAMES.fill, FILES), stubs, migration}
    changed = {line[3:] for line in seen if line.startswith(" M ")}
    assert changed == {*(edit.path for edit in EDITS), *MADE[1:]}
    assert len(seen) == len(new) + len(changed)


def test_format_lint_and_import_rules_hold(copy: Path) -> None:
    run(copy, tool("ruff"), "format", "--check", ".")
    run(copy, tool("ruff"), "check", ".")
    run(copy, tool("lint-imports"), "--no-logo")


def test_its_types_hold(copy: Path) -> None:
    packages = ("service/$nouns", "service/app", "tests/contract/test_$nouns.py")
    run(copy, tool("mypy"), *map(NAMES.fill, packages), "tests/contract/test_policy.py")


def test_its_migration_brings_the_schema_to_the_models(copy: Path) -> None:
    assert "agree" in python(copy, "manage.py", "migrate", "check")


def test_its_own_tests_pass_and_those_that_hold_for_every_noun(copy: Path) -> None:
    others = "test_the_table_of_policies or test_health or test_public or whole_file"
    chosen = NAMES.fill(f"not postgres and not mysql and (not ({others}) or $Noun or $path)")
    told = python(
        copy,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen),
        NAMES.fill("tests/contract/test_$nouns.py"),
        *(f"tests/{name}" for name in RULES),
    )
    assert " passed" in told
    assert "skipped" not in told.splitlines()[-1]
