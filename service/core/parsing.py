"""One parser for what comes in, whichever door it came through."""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

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
        Invalid: ``text`` is anything else.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # fails on half of a surrogate pair
    except (ValueError, RecursionError):
        raise Invalid(message="The body is not valid JSON.") from None
    return value


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("duplicate key")
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _finite(digits: str) -> float:
    """1e999 is JSON, and infinity to whoever reads it into a float."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError("out of range")
    return number


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(str(part) for part in fault["loc"]) or "request"
        text = _OWN_WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
        fields.setdefault(printable(name), []).append(text)
    return fields


def printable(name: str) -> str:
    """A field's name fit to be shown: an unknown one is the caller's own text."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:64])
    return clean.encode("utf-8", "replace").decode("utf-8")
