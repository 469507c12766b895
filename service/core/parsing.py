"""One parser for what comes in, whichever door it came through."""

import codecs
import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from service.core.errors import Invalid

Raw = bytes | Mapping[str, object]
"""A command as it arrived: the bytes of a JSON object, or fields already taken apart."""

C = TypeVar("C", bound="Command")

_OWN_WORDS = {
    "missing": "This field is required.",
    "extra_forbidden": "Unknown field.",
    "string_type": "Must be text.",
    "string_unicode": "Must be valid Unicode text.",
    "bool_type": "Must be true or false.",
    "bool_parsing": "Must be true or false.",
    "int_type": "Must be a whole number.",
    "int_parsing": "Must be a whole number.",
    "int_from_float": "Must be a whole number.",
    "dict_type": "Must be an object.",
}
_BOUNDS = {
    "greater_than_equal": "Must be at least {ge}.",
    "less_than_equal": "Must be at most {le}.",
}
_NO_JSON = "The body is not valid JSON"


class Command(BaseModel):
    """What a caller asks for. Unknown fields are refused; nothing is coerced; nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that were given, also those given as null."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def parse(form: type[C], raw: Raw) -> C:
    """Read ``raw`` as the command ``form``.

    Raises:
        Invalid: it is not JSON, not an object, or breaks a rule of ``form``; the message names
            the fields and never repeats their values.
    """
    fields = read_json(raw) if isinstance(raw, bytes) else raw
    if not isinstance(fields, Mapping):
        raise Invalid(message="The body must be a JSON object.")
    try:
        return form.model_validate(dict(fields))
    except ValidationError as error:
        raise Invalid(_by_field(error)) from None


def read_json(text: bytes) -> object:
    """Strict JSON (RFC 8259): UTF-8, no duplicate keys, no NaN or infinity, no lone surrogates.

    Raises:
        Invalid: ``text`` is anything else; where it is JSON to others, the message says which.
    """
    if text.startswith(codecs.BOM_UTF8):
        raise Invalid(message=f"{_NO_JSON}: it begins with a byte order mark.")
    try:
        value = json.loads(
            _decoded(text),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if b"\\u" in text:
            _no_half_pairs(value)
    except _Flaw as flaw:
        raise Invalid(message=f"{_NO_JSON}: {flaw}.") from None
    except (ValueError, RecursionError):
        raise Invalid(message=f"{_NO_JSON}.") from None
    return value


class _Flaw(ValueError):
    """What keeps a text from being JSON, in words of ours that may be told."""


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise _Flaw("it is not UTF-8") from None


def _no_half_pairs(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _Flaw("a text holds half of a surrogate pair") from None


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Flaw("a member name comes twice in one object")
    return fields


def _no_constant(name: str) -> object:
    raise _Flaw("NaN and Infinity are no numbers")


def _finite(digits: str) -> float:
    """1e999 is JSON, and infinity to whoever reads it into a float."""
    number = float(digits)
    if math.isinf(number):
        raise _Flaw("a number is out of range")
    return number


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in fault["loc"]) or "request"
        fields.setdefault(printable(name), []).append(_told(fault))
    return fields


def _told(fault: ErrorDetails) -> str:
    kind = fault["type"]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**fault["ctx"])
    return _OWN_WORDS.get(kind) or fault["msg"].removeprefix("Value error, ")


def printable(name: str) -> str:
    """A field's name fit to be shown: an unknown one is the caller's own text."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:64])
    return clean.encode("utf-8", "replace").decode("utf-8")
