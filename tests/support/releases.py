"""The release before this one, taken out of git, to run beside the present tree."""

import io
import os
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.doors import Rest, Rpc, rest_door, rpc_door
from tests.support.served import ADMIN, PASSWORD, ROOT, Served

PREVIOUS = "0.2.0"
ITS_MIGRATIONS = (
    "0_20261123150000_init.py",
    "1_20261123151215_versions_changes_and_idempotency.py",
    "2_20261123153000_search.py",
    "3_20261123154500_previous_release.py",
)
"""The previous release and all its migrations: move both on when a release is made."""


def tree_of_previous_release(place: Path) -> str | None:
    """Unpack the previous release into ``place``; why it can't be, or None when it was.

    It is the newest commit in the history of this one that bears its version and has no migration
    but its own.
    """
    commit = next((each for each in _history() if _is_the_release(each)), None)
    if commit is None:
        return (
            f"release {PREVIOUS} is not in this clone's history, so its code was not run on the"
            " present schema; fetch all of it: git fetch --unshallow"
        )
    archive = _git("archive", "--format=tar", commit)
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(place, filter="data")
    return None


def _history() -> Iterator[str]:
    try:
        yield from _git("log", "--date-order", "--format=%H", "HEAD").decode().split()
    except (OSError, subprocess.CalledProcessError):  # no git, or no clone of it
        return


def _is_the_release(commit: str) -> bool:
    folder = _git("ls-tree", "--name-only", commit, "migrations/arcana/").decode().split()
    names = {Path(name).name for name in folder if name.endswith(".py")}
    if names != set(ITS_MIGRATIONS):
        return False
    project = tomllib.loads(_git("show", f"{commit}:pyproject.toml").decode())
    return bool(project["project"]["version"] == PREVIOUS)


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


class Release(Served):
    """``manage.py serve`` of the tree at ``root``, whichever release that is."""

    def __init__(self, database_url: str, root: Path) -> None:
        super().__init__(database_url)
        self._root = root
        path = f"{root}{os.pathsep}{root / 'protos'}"
        self._environment = {**self._environment, "PYTHONPATH": path}

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of its ``manage.py``."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self._root,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def _launched(self, options: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "serve", *options],
                cwd=self._root,
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )


@asynccontextmanager
async def serving_release(database_url: str, root: Path) -> AsyncIterator[tuple[Rest, Rpc]]:
    """Both doors of the release at ``root`` over a database that is migrated already."""
    release = Release(database_url, root)
    try:
        await release.start()
        async with rest_door(release.http_port) as rest, rpc_door(release.rpc_port) as rpc:
            yield rest, rpc
    finally:
        await release.stop()


__all__ = ["ADMIN", "PASSWORD", "Release", "serving_release", "tree_of_previous_release"]
