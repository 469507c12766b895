"""A noun written into the checkout: planned whole, then written, compiled, migrated, formatted."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from service import checkout
from service.commands.scaffold.names import SAMPLE, BadName, Names, clashes, taken
from service.commands.scaffold.places import EDITS, FILES, MADE
from service.commands.scaffold.tree import NoPlace, Tree
from service.infra.database import Database
from service.infra.migrations import Migrator

TEMPLATES = Path(__file__).parent / "templates" / "noun"
GENERATOR = "protos/generate.py"
CHECKOUT = ("manage.py", "pyproject.toml", GENERATOR, "tests/contract", "migrations")


class CannotScaffold(Exception):
    """Nothing was written, or all of it taken back; the text says why, and what to do."""


def plan(root: Path, names: Names) -> Tree:
    """What there is to write.

    Raises:
        CannotScaffold: this is no checkout, it has the noun, or a file is not as it was.
    """
    if missing := [name for name in CHECKOUT if not (root / name).exists()]:
        raise CannotScaffold(f"{root} is no checkout of Arcana: it has no {missing[0]}.")
    try:
        tree = _changed(root, names)
        if found := next(_in_the_way(root, names), None):
            raise CannotScaffold(f"The name is taken: {found}. Choose another.")
        for path, text in _new(names):
            tree.add(path, _checked(path, text))
    except (BadName, NoPlace) as error:
        raise CannotScaffold(
            f"Nothing was written. {error}. See 'Add a noun' in CONTRIBUTING.md, which tells how"
            " to do it by hand; service/commands/scaffold/places.py knows the places."
        ) from None
    return tree


def _changed(root: Path, names: Names) -> Tree:
    """Raises: NoPlace."""
    tree = Tree(root)
    for edit in EDITS:
        tree.edit(replace(edit, text=names.fill(edit.text)))
    return tree


def _new(names: Names) -> Iterator[tuple[str, str]]:
    for path, template in FILES.items():
        text = (TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")
        yield names.fill(path), names.fill(text)


def _in_the_way(root: Path, names: Names) -> Iterator[str]:
    """What has the noun's name already, or would in the files that it gets, in words."""
    yield from taken(names, root)
    files = {**_changed(root, SAMPLE).changed, **dict(_new(SAMPLE))}
    code = {path: text for path, text in files.items() if path.endswith((".py", ".proto"))}
    yield from clashes(names, code)


def _checked(path: str, text: str) -> str:
    """Raises: BadName, when the noun makes no Python of it: two things have one name."""
    if path.endswith(".py"):
        try:
            compile(text, path, "exec")
        except SyntaxError as error:
            raise BadName(f"With that name {path} is no Python: {error.msg}") from None
    return text


def write(root: Path, names: Names, tree: Tree) -> list[str]:
    """Write what was planned and what follows from it; the paths of all that is new or changed.

    Raises:
        CannotScaffold: a step failed. What was written is taken back.
    """
    if find_spec("ruff") is None:
        if not checkout.is_entered():
            raise CannotScaffold("ruff is not installed here: make install-dev.")
        checkout.install_tools()
    _run(root, GENERATOR, "--check")
    if drift := asyncio.run(Migrator(Database("sqlite://unused")).check()):
        raise CannotScaffold(f"Models and migrations disagree before anything is new:\n{drift}")
    compiled = [names.fill(path) for path in MADE]
    paths = [*tree.new, *tree.changed, *compiled]
    with _undone_if_it_fails(root, tree):
        tree.write()
        _run(root, GENERATOR)
        before = _migrations(root)
        _run(root, "manage.py", "migrate", "make", names.nouns)
        paths += [str(path.relative_to(root)) for path in _migrations(root) - before]
        files = [path for path in paths if path.endswith(".py") and path not in compiled]
        _run(root, "-m", "ruff", "check", "--quiet", "--select", "I", "--fix", *files)
        _run(root, "-m", "ruff", "format", "--quiet", *files)
    return sorted(paths)


@contextmanager
def _undone_if_it_fails(root: Path, tree: Tree) -> Iterator[None]:
    before = _migrations(root)
    try:
        yield
    except BaseException:
        tree.undo()
        for path in _migrations(root) - before:
            path.unlink()
        _run(root, GENERATOR)
        raise


def _migrations(root: Path) -> set[Path]:
    return set(root.glob("migrations/arcana/*.py"))


def _run(root: Path, *arguments: str) -> None:
    """Run Python so. Raises: CannotScaffold, with what it said, when it failed."""
    ran = subprocess.run(  # noqa: S603  # our own tools
        [sys.executable, *arguments],
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ran.returncode:
        raise CannotScaffold(f"'{' '.join(arguments[:3])}' failed:\n{ran.stdout.strip()}")
