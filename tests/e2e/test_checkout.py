"""manage.py by a Python that has none of its packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BARE = [str(Path(sys.base_prefix) / "bin" / "python3"), "-S"]
"""Without site-packages, as Debian's own python3 on a fresh machine."""
MAKE = """#!/bin/sh
echo "made $*"
mkdir -p .venv/bin && cp echoing .venv/bin/python
exit $CODE
"""


@pytest.fixture(name="fresh")
def fresh_checkout(tmp_path: Path) -> Path:
    """What of a checkout runs before any package is there; make only pretends."""
    (tmp_path / "service").mkdir()
    for name in ("manage.py", "service/__init__.py", "service/checkout.py", "service/loading.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for name, text in (("make", MAKE), ("echoing", '#!/bin/sh\necho "ran $*"\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def manage(
    fresh: Path, *words: str, code: int = 0, path: str = os.environ["PATH"]
) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{fresh}{os.pathsep}{path}", "CODE": str(code)}
    command = [*BARE, "manage.py", *words]
    return subprocess.run(command, cwd=fresh, env=env, capture_output=True, text=True, check=False)


def test_it_goes_on_where_the_packages_are(fresh: Path) -> None:
    (fresh / ".venv" / "bin").mkdir(parents=True)
    (fresh / "echoing").rename(fresh / ".venv" / "bin" / "python")
    done = manage(fresh, "migrate", "up")
    assert (done.returncode, done.stdout) == (0, "ran manage.py migrate up\n")


def test_where_nothing_is_installed_it_says_how(fresh: Path) -> None:
    done = manage(fresh, "serve")
    assert done.returncode == 1
    assert done.stderr == "Arcana's packages are not installed here. Say: make install\n"


def test_who_wants_a_new_noun_has_the_tools_installed(fresh: Path) -> None:
    done = manage(fresh, "new", "noun", "invoice")
    assert done.returncode == 0
    assert done.stdout == "made install-dev\nran manage.py new noun invoice\n"


def test_tools_that_could_not_be_installed_end_it(fresh: Path) -> None:
    done = manage(fresh, "new", "noun", "invoice", code=2)
    assert (done.returncode, done.stdout) == (1, "made install-dev\n")


def test_a_machine_without_make_is_told_so(fresh: Path) -> None:
    (fresh / "make").unlink()
    done = manage(fresh, "new", "noun", "invoice", path="")
    assert done.returncode == 1
    assert done.stderr == "make is missing, which installs what new code needs.\n"
