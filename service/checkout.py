"""A checkout whose packages are not where this Python looks for them."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".venv"
RARE = ("tortoise", "betterproto", "grpclib")
"""Packages of ours that a Python of somebody else's is not likely to have, all of them."""


def enter() -> None:
    """Go on with the Python of ``.venv`` when this one has none of our packages.

    Who wants something ``new`` is a developer, for whom they are installed; others are told how.

    Raises:
        SystemExit: there is nothing to go on with.
    """
    if all(map(find_spec, RARE)):
        return
    if sys.argv[1:2] == ["new"]:
        install_tools()
    python = PLACE / "bin" / "python"
    if is_entered() or not python.exists():
        sys.exit("Arcana's packages are not installed here. Say: make install")
    os.execv(python, [str(python), *sys.argv])  # noqa: S606  # it is ours


def is_entered() -> bool:
    """Whether this Python is that of ``.venv``."""
    return Path(sys.prefix).resolve() == PLACE


def install_tools() -> None:
    """Install what developing needs into ``.venv``; make says what it does.

    Raises:
        SystemExit: that failed, and why has been said.
    """
    make = which("make") or sys.exit("make is missing, which installs what new code needs.")
    if subprocess.run([make, "install-dev"], cwd=ROOT, check=False).returncode:  # noqa: S603  # ours
        sys.exit(1)
