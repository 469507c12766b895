"""Models against the history: do they agree, and which SQL would make them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from aerich.coder import encoder
from aerich.exceptions import NotSupportError
from aerich.migrate import Migrate
from dictdiffer import diff  # type: ignore[import-untyped]  # aerich's own, without types
from tortoise.context import TortoiseContext
from tortoise.models import Model

from service.infra.database import Database
from service.infra.database.connection import APP
from service.infra.database.url import Dialect
from service.infra.migrations.files import BY_HAND, DIALECTS, Script, State

_AERICH = f"{APP}.Aerich"
_PROSE = {"description", "docstring", "default", "python_type", "constraints", "app", "abstract"}
"""What a description says that the schema does not show."""
_URLS = {"sqlite": "sqlite://x", "postgres": "postgres://x/x", "mysql": "mysql://x/x"}
_LISTS = (
    "upgrade_operators",
    "downgrade_operators",
    "_upgrade_fk_m2m_index_operators",
    "_downgrade_fk_m2m_index_operators",
    "_upgrade_m2m",
    "_downgrade_m2m",
    "_rename_fields",
    "_rename_models",
)
_MYSQL_PLAIN, _MYSQL_OURS = (
    ") CHARACTER SET utf8mb4",
    ") ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
)


async def load_models() -> dict[str, type[Model]]:
    """The models with their relations resolved, without connecting to anything."""
    context = TortoiseContext()
    with context:
        config = Database(_URLS["sqlite"]).tortoise_config()
        await context.init(config, init_connections=False)
        return dict(context.apps[APP]) if context.apps else {}


def describe(models: dict[str, type[Model]]) -> State:
    """The models as aerich records them."""
    described = [
        dict(model.describe(), managed=getattr(model.Meta, "managed", None))
        for model in models.values()
    ]
    return {str(model["name"]): model for model in described}


def differences(recorded: State, actual: State) -> list[str]:
    """Where the schemas that two descriptions stand for differ, a line each."""
    old, new = _schema(recorded), _schema(actual)
    return [
        f"{kind} {'.'.join(map(str, path)) if isinstance(path, list) else path} {_brief(change)}"
        for kind, path, change in diff(old, new)
    ]


def _brief(change: Any) -> str:
    if isinstance(change, list):
        return ", ".join(str(key) for key, _ in change)
    return " -> ".join(map(str, change))


def _schema(state: State) -> dict[str, Any]:
    plain = json.loads(encoder(state))
    return {name: _model(model) for name, model in plain.items() if name != _AERICH}


def _model(model: dict[str, Any]) -> dict[str, Any]:
    """A model without prose, its lists keyed by name so that their order does not matter."""
    return {
        key: _keyed(value) for key, value in model.items() if not key.startswith("backward_")
    } | dict.fromkeys(_PROSE & model.keys())


def _keyed(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return {str(item["name"]): _keyed(item) for item in value}
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if key not in _PROSE}
    return value


class Scripts:
    """aerich's SQL for a change of the models, for each database."""

    def __init__(self, models: dict[str, type[Model]]) -> None:
        self._models = models

    def between(self, old: State, new: State) -> tuple[Script, Script]:
        """The way there, and the way back."""
        with _no_prose(self._models):
            both = {dialect: self._one(dialect, old, new) for dialect in DIALECTS}
        return (
            {dialect: up for dialect, (up, _) in both.items()},
            {dialect: down for dialect, (_, down) in both.items()},
        )

    def _one(self, dialect: Dialect, old: State, new: State) -> tuple[list[str], list[str]]:
        differ = _differ(dialect, self._models)
        try:
            differ.diff_models(dict(old), dict(new), True, no_input=True)
            differ.diff_models(dict(new), dict(old), False, no_input=True)
        except NotSupportError as error:
            note = f"{BY_HAND}: {error} New table, copy, drop, rename."
            return [note], [note]
        differ._merge_operators()
        up, down = differ.upgrade_operators, differ.downgrade_operators
        if not up:
            note = f"{BY_HAND}: aerich knows no SQL for this change."
            return [note], [note]
        return _tidy(up), _tidy(down)


def _differ(dialect: Dialect, models: dict[str, type[Model]]) -> Any:
    """aerich's differ with lists of its own: its class keeps those of the last run."""

    class Differ(Migrate):
        @classmethod
        def _get_model(cls, model: str) -> type[Model]:
            return models[model]

        @classmethod
        def _is_unique_constraint(cls, model: type[Model], index_name: str) -> bool:
            return bool(cls.dialect == "postgres")

    for name in _LISTS:
        setattr(Differ, name, type(getattr(Migrate, name))())
    client = Database(_URLS[dialect]).engine(pool_size=1, command_timeout=1)
    ddl = import_module(f"aerich.ddl.{dialect}")
    Differ.app, Differ.dialect, Differ._db_version = APP, dialect, "8.0"
    Differ.ddl = getattr(ddl, f"{dialect.capitalize()}DDL")(client)
    return Differ


def _tidy(operators: Sequence[str]) -> list[str]:
    """One statement an item, and MariaDB's tables as ours are."""
    single = [part.strip() for text in operators for part in text.split(";\n")]
    return [text.replace(_MYSQL_PLAIN, _MYSQL_OURS).rstrip(";") for text in single if text]


@contextmanager
def _no_prose(models: dict[str, type[Model]]) -> Iterator[None]:
    """Keep docstrings out of the schema: Tortoise would make them comments of tables."""
    kept = {model: model._meta.table_description for model in models.values()}
    try:
        for model in kept:
            model._meta.table_description = ""
        yield
    finally:
        for model, text in kept.items():
            model._meta.table_description = text
