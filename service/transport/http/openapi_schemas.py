"""The schemas of commands and views, as OpenAPI wants them."""

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.core.paging import Page
from service.transport.http.answers import NUMBERED_ONLY
from service.transport.http.errors import ProblemBody, RefusalBody
from service.transport.http.operations import Operation

Json = dict[str, Any]
Model = type[BaseModel]
PREFIX = "#/components/schemas/"
_BOUNDS = {"ge": "minimum", "le": "maximum"}
"""What pydantic calls the bounds of a number that a validator runs before."""
_PAGE = re.compile(r"\bPage_(\w+?)View_")


class Schemas:
    """Every schema that ``operations`` need, each once.

    A view's fields are all required, since all are always sent, but for what a page read by
    keyset or a sparse view leaves out.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        operations = list(operations)
        commands: list[Model] = [
            model for each in operations for model in (each.body, each.query) if model is not None
        ]
        queries: list[Model] = [each.query for each in operations if each.query is not None]
        views = {each.view: each.sparse for each in operations if each.view is not None}
        self._names: dict[object, str] = {}
        self.definitions = self._make(commands, "validation") | self._views(views)
        self._queries = {
            query: self.definitions.pop(self._names[query]) for query in dict.fromkeys(queries)
        }

    def reference(self, model: Model) -> Json:
        return {"$ref": PREFIX + self._names[model]}

    def parameters(self, query: Model) -> list[Json]:
        """The fields of ``query`` as parameters of a query string, where null can't be written."""
        schema = self._queries[query]
        return [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": _without_null(field),
            }
            for name, field in schema["properties"].items()
        ]

    def _views(self, views: dict[Model, bool]) -> Json:
        made = self._make([*views, RefusalBody, ProblemBody], "serialization")
        sparse = {view for view, is_sparse in views.items() if is_sparse}
        loose = {self._names[view] for view in (*sparse, RefusalBody, ProblemBody)}
        paged = {self._names[view] for view in views if issubclass(view, Page)}
        for name, schema in made.items():
            if "properties" in schema:
                optional = set(schema["properties"]) - set(schema.get("required", ()))
                optional &= optional if name in loose else NUMBERED_ONLY if name in paged else set()
                _require_all_but(optional, schema)
        return made

    def _make(self, models: list[Model], mode: Literal["validation", "serialization"]) -> Json:
        keys, made = models_json_schema(
            [(model, mode) for model in dict.fromkeys(models)], ref_template=PREFIX + "{model}"
        )
        for (model, _), reference in keys.items():
            self._names[model] = _renamed(reference["$ref"].removeprefix(PREFIX))
        definitions = made.get("$defs", {})
        return {_renamed(name): _tidy(schema) for name, schema in sorted(definitions.items())}


def _require_all_but(optional: set[str], schema: Json) -> None:
    """What may be left out is left out instead of being null; all else is always there."""
    fields = schema["properties"]
    schema["required"] = [name for name in fields if name not in optional]
    fields.update({name: _without_null(fields[name]) for name in optional})


def _renamed(name: str) -> str:
    return _PAGE.sub(r"\1Page", name).removesuffix("Body")


def _tidy(value: Any) -> Any:
    """A schema without generated titles and empty defaults, its patterns as ECMA-262 has them."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {
        _BOUNDS.get(key, key): _tidy(item)
        for key, item in value.items()
        if not _is_noise(key, item)
    }
    if isinstance(kept.get("pattern"), str):
        kept["pattern"] = kept["pattern"].replace(r"\z", "$")
    if isinstance(kept.get("$ref"), str):
        kept["$ref"] = PREFIX + _renamed(kept["$ref"].removeprefix(PREFIX))
    return kept


def _is_noise(key: str, item: object) -> bool:
    return (key == "title" and isinstance(item, str)) or (key == "default" and item is None)


def _without_null(schema: Json) -> Json:
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**{key: item for key, item in schema.items() if key != "anyOf"}, **choices[0]}
