"""How a log record becomes a line: JSON for machines, text for people."""

import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from config.exceptions import described, headline

Context = Callable[[], Mapping[str, object]]
"""Facts that belong to every line written right now, such as the request's id."""

MESSAGE_MAX, DEPTH_MAX, ITEMS_MAX = 8192, 5, 100
_KNOWN = set(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "message",
    "asctime",
    "taskName",
}
_JSON = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TASK_OUTCOME = re.compile(r"\b(exception|result)=.*", re.DOTALL)


class Line(logging.Formatter):
    """What both forms share: a record becomes known facts, and never an exception's words."""

    def __init__(self, context: Context | None = None) -> None:
        super().__init__()
        self._context = context or dict[str, object]

    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        """The fields given as ``extra``, over those of the context, as plain JSON data."""
        extra = {name: value for name, value in vars(record).items() if name not in _KNOWN}
        return {str(name): plain(value) for name, value in {**self._context(), **extra}.items()}


class JsonLine(Line):
    """One JSON object a line (RFC 8259), in ASCII, so that no text can break out of it."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "ts": instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message(record),
        }
        fields = {**fields, **{n: v for n, v in self.facts(record).items() if n not in fields}}
        if error := _error(record):
            fields["exception"] = described(error)
        return _JSON.encode(fields)


class TextLine(Line):
    """A line to read: time, level, logger, message, ``name=value``; then frames, indented."""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={_shown(value)}" for name, value in self.facts(record).items())
        head = f"{instant(record)} {record.levelname:<7} {record.name}: {message(record)}"
        error = _error(record)
        return _visible(head + facts) + (_indented(described(error)) if error else "")


def message(record: logging.LogRecord) -> str:
    """The record's message, in which an exception stands as its type.

    A message that does not fit its arguments is given without them. asyncio's lines after the
    first, and the outcome of its tasks, are left out: they quote exceptions.
    """
    args = record.args
    if isinstance(args, Mapping):
        args = {name: _argument(value) for name, value in args.items()}
    elif args:
        args = tuple(_argument(value) for value in args)
    text = str(_argument(record.msg))
    try:
        text = text % args if args else text
    except Exception:  # noqa: BLE001  # an argument's own __str__ may raise anything
        text = f"{text} (its arguments do not fit)"
    if record.name == "asyncio":
        text = _TASK_OUTCOME.sub(r"\1=…", text.partition("\n")[0])
    return _COLOUR.sub("", text[:MESSAGE_MAX])


def instant(record: logging.LogRecord) -> str:
    """When the record was made, as RFC 3339 writes it, in UTC."""
    made = datetime.fromtimestamp(record.created, UTC)
    return made.isoformat(timespec="microseconds").replace("+00:00", "Z")


def plain(value: object, depth: int = 0) -> Any:
    """``value`` as JSON can hold it; of what has no plain form, only the type is told."""
    quickly = type(value) is str and len(value) <= MESSAGE_MAX  # as nearly all are
    return value if quickly else _plain(value, depth)


def _plain(value: object, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if value is None or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return str(value[:MESSAGE_MAX])
    if isinstance(value, BaseException):
        return headline(value)
    if isinstance(value, UUID | datetime):
        return str(value)
    return f"<{type(value).__name__}>" if depth >= DEPTH_MAX else _plain_many(value, depth + 1)


def _plain_many(value: object, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(plain(n)): plain(v, depth) for n, v in list(value.items())[:ITEMS_MAX]}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth) for item in list(value)[:ITEMS_MAX]]
    return f"<{type(value).__name__}>"


def _argument(value: object) -> object:
    """Collections too: ``gather`` returns exceptions in lists."""
    holds = isinstance(value, BaseException | Mapping | list | tuple | set | frozenset)
    return plain(value) if holds else value


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if isinstance(record.exc_info, tuple) else None


def _shown(value: Any) -> str:
    if isinstance(value, str) and value and value.isprintable() and not set(value) & set(' "='):
        return value
    return json.dumps(value, ensure_ascii=False)


def _visible(text: str) -> str:
    """``text`` with whatever could start a line or move a cursor spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _indented(told: dict[str, Any], depth: int = 1) -> str:
    margin = "\n" + "  " * depth
    lines = [f"{margin}{_visible(told['type'])}"]
    lines += [f"{margin}  at {_visible(frame)}" for frame in told["frames"]]
    lines += [_indented(member, depth + 1) for member in told.get("members", ())]
    lines += [f"{margin}from{_indented(cause, depth)}" for cause in told.get("causes", ())]
    return "".join(lines)
