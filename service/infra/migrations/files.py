"""Migration files: what they hold, and how a new one is written."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from aerich.utils import decompress_dict, get_formatted_compressed_data

from service.infra.database.url import Dialect

FOLDER = Path(__file__).parents[3] / "migrations" / "arcana"
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres", "mysql")
BY_HAND = "-- WRITE BY HAND"
"""Begins a statement that no tool could write; it is never run, and ``check`` finds it."""

Script = Mapping[str, Sequence[str]]
State = dict[str, dict[str, Any]]

_NAME = re.compile(r"(\d+)_\w+\.py")
_SLUG = re.compile(r"[a-z0-9_]{1,60}")


class MigrationError(Exception):
    """A migration cannot be read, written or run; the text is one line for an operator."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the history, there and back, for each kind of database."""

    name: str
    upgrade: Script
    downgrade: Script
    state: State
    """The models as aerich describes them, after this step."""
    in_transaction: bool = True
    advice: Mapping[str, str] = field(default_factory=dict)
    """What to tell an operator, for each kind of database, when a statement of it fails."""

    def unwritten(self) -> list[str]:
        """What still waits to be written by hand."""
        return [
            f"{self.name}: {way} {dialect}: {statement.strip().removeprefix(BY_HAND).strip(' :')}"
            for way, script in (("upgrade", self.upgrade), ("downgrade", self.downgrade))
            for dialect, statements in script.items()
            for statement in statements
            if statement.lstrip().startswith(BY_HAND)
        ]


def read_folder(folder: Path) -> list[Migration]:
    """Every migration of a folder, in order.

    Raises:
        MigrationError: two have one number, or a file lacks a part.
    """
    numbered = sorted(
        (int(match[1]), path)
        for path in folder.glob("*.py")
        if (match := _NAME.fullmatch(path.name))
    )
    numbers = [number for number, _ in numbered]
    if numbers != list(range(len(numbers))):
        raise MigrationError(f"The migrations must be numbered 0, 1, 2, …; they are {numbers}.")
    return [_read(path) for _, path in numbered]


def _read(path: Path) -> Migration:
    module = _load(path)
    try:
        return Migration(
            name=path.name,
            upgrade=_whole(module.UPGRADE),
            downgrade=_whole(module.DOWNGRADE),
            state=decompress_dict(module.MODELS_STATE),
            in_transaction=getattr(module, "RUN_IN_TRANSACTION", True),
            advice=getattr(module, "ADVICE", {}),
        )
    except (AttributeError, KeyError, ValueError) as error:
        raise MigrationError(
            f"{path.name} must have UPGRADE and DOWNGRADE for {', '.join(DIALECTS)},"
            f" and MODELS_STATE ({type(error).__name__})."
        ) from None


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"arcana_migration_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise MigrationError(f"{path.name} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _whole(script: Script) -> Script:
    return {dialect: script[dialect] for dialect in DIALECTS}


def file_name(number: int, name: str, stamp: str) -> str:
    """Raises: MigrationError, when ``name`` is not lower-case letters, digits and underscores."""
    if not _SLUG.fullmatch(name):
        raise MigrationError("A migration's name has 1 to 60 of a-z, 0-9 and _.")
    return f"{number}_{stamp}_{name}.py"


def render(name: str, upgrade: Script, downgrade: Script, state: State) -> str:
    """The text of a migration file, for aerich to read as well."""
    title = name.replace("_", " ").capitalize()
    return _TEMPLATE.format(
        title=title,
        upgrade=_dict(upgrade),
        downgrade=_dict(downgrade),
        state=get_formatted_compressed_data(state),
    )


def _dict(script: Script) -> str:
    return "\n".join(f'    "{dialect}": [{_list(script[dialect])}],' for dialect in DIALECTS)


def _list(statements: Sequence[str]) -> str:
    lines = "".join(f"        {_literal(text)},\n" for text in statements)
    return f"\n{lines}    " if lines else ""


def _literal(statement: str) -> str:
    text = statement.strip().rstrip(";")
    if "\n" not in text:
        return repr(text)
    body = "\n".join(f"        {line}" for line in text.splitlines())
    return f'"""\n{body}\n        """'


_TEMPLATE = '''"""{title}. Read every statement, and try it on data, before you commit it."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

UPGRADE = {{
{upgrade}
}}

DOWNGRADE = {{
{downgrade}
}}


async def upgrade(db: BaseDBAsyncClient) -> str:
    return ";\\n".join(UPGRADE[db.capabilities.dialect])


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ";\\n".join(DOWNGRADE[db.capabilities.dialect])


MODELS_STATE = (
    {state}
)
'''
