"""Plain data to bytes and back, with every type kept."""

import base64
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

import orjson

INT64 = range(-(2**63), 2**63)
_FORMAT = b"~1"
"""Opens every value but whole numbers; a value of another format is one we did not write."""
_NUMBER = re.compile(rb"-?[0-9]{1,19}")
_DEEPEST = 64


class Unreadable(ValueError):
    """The bytes were not made by this codec."""


def encode(value: object) -> bytes:
    """``value`` as bytes: tagged JSON; a 64-bit whole number as Redis itself writes counters.

    A UUID of a subclass (asyncpg has one) becomes a plain UUID; a datetime with a named zone keeps
    its instant and its offset.

    Raises:
        TypeError: it holds something that would not come out as it went in.
    """
    if type(value) is int and value in INT64:
        return b"%d" % value
    return _FORMAT + orjson.dumps(_pack(value, _DEEPEST))


def decode(data: bytes) -> Any:
    """The value that ``encode`` made into ``data``.

    Raises:
        Unreadable: ``data`` is something else.
    """
    if _NUMBER.fullmatch(data):
        return int(data)
    if not data.startswith(_FORMAT):
        raise Unreadable("unknown format")
    try:
        return _unpack(orjson.loads(data[len(_FORMAT) :]))
    except (ValueError, TypeError, KeyError, ArithmeticError):
        raise Unreadable("damaged") from None


def is_readable(data: bytes) -> bool:
    """Whether ``decode`` would read ``data``."""
    try:
        decode(data)
    except Unreadable:
        return False
    return True


def _pack(value: Any, depth: int) -> Any:
    """``value`` in JSON's own types. What JSON lacks is an object of one key that starts with $."""
    if depth == 0:
        raise TypeError("Cannot cache data nested this deeply, or in a circle.")
    kind = type(value)
    if value is None or kind in (bool, str):
        return value
    if kind is int:
        return value if value in INT64 else {"$int": str(value)}
    if kind is float:
        return value if isfinite(value) else {"$float": repr(value)}
    if kind in (list, tuple, set, frozenset):
        return _pack_row(value, kind, depth - 1)
    if kind is dict:
        return _pack_dict(value, depth - 1)
    return _pack_scalar(value, kind)


def _pack_row(value: Any, kind: type, depth: int) -> Any:
    items = [_pack(item, depth) for item in value]
    if kind is list:
        return items
    if kind is not tuple:
        items.sort(key=orjson.dumps)  # equal sets are equal bytes, which keys are made of
    return {f"${kind.__name__}": items}


def _pack_dict(value: dict[Any, Any], depth: int) -> Any:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _pack(item, depth) for key, item in value.items()}
    return {"$dict": [[_pack(key, depth), _pack(item, depth)] for key, item in value.items()]}


def _pack_scalar(value: Any, kind: type) -> dict[str, Any]:
    if isinstance(value, UUID):
        return {"$UUID": str(value)}
    if kind in (datetime, date):
        return {f"${kind.__name__}": value.isoformat()}
    if kind is timedelta:
        return {"$timedelta": [value.days, value.seconds, value.microseconds]}
    if kind is Decimal:
        return {"$Decimal": str(value)}
    if kind is bytes:
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"Cannot cache a {kind.__name__}: only plain data comes out as it went in.")


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, inner),) = value.items()
        if tag.startswith("$"):
            return _READERS[tag](inner)
    return {key: _unpack(item) for key, item in value.items()}


_READERS: dict[str, Callable[[Any], Any]] = {
    "$int": int,
    "$float": float,
    "$tuple": lambda items: tuple(_unpack(items)),
    "$set": lambda items: set(_unpack(items)),
    "$frozenset": lambda items: frozenset(_unpack(items)),
    "$dict": lambda pairs: {_unpack(key): _unpack(item) for key, item in pairs},
    "$UUID": UUID,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$timedelta": lambda parts: timedelta(*parts),
    "$Decimal": Decimal,
    "$bytes": lambda text: base64.b64decode(text, validate=True),
}
