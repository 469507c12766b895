"""Base64url and JSON that can be read in one way only (RFC 7515 §2, RFC 8725 §3.11)."""

import base64
import binascii
import json
from typing import Any, NoReturn


class Unfit(ValueError):
    """A token or a key is not to be taken; the text says why and repeats nothing of it."""


def encoded(raw: bytes) -> str:
    """``raw`` in base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bytes that ``text`` spells in the one way that there is to spell them.

    Raises:
        Unfit: padding, a stray character, or stray bits in the last one.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Unfit("not base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise Unfit("not the one spelling of its bytes in base64url")
    return raw


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object that ``raw`` is, each name once.

    Raises:
        Unfit: it is anything else, or nested too deep.
    """
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except Unfit:
        raise
    except (ValueError, RecursionError):
        raise Unfit("not JSON") from None
    if not isinstance(value, dict):
        raise Unfit("not a JSON object")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unfit("a name comes twice in one JSON object")
    return found


def _no_constant(_: str) -> NoReturn:
    raise Unfit("NaN and Infinity are not JSON")
