"""How callers show who they are: bearer tokens, read alike at both doors, and HTTP Basic."""

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import unquote_plus

from service.core.errors import InvalidToken

_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE | re.ASCII)
_BASIC = re.compile(r"basic +([A-Za-z0-9+/]+=*)", re.IGNORECASE | re.ASCII)


def bearer_token(values: Sequence[str]) -> str | None:
    """The token in the values of ``Authorization``; None when the caller sent none.

    The scheme is read in any case, with one or more spaces after it, and the token is a token68
    (RFC 9110 §11.4, RFC 6750 §2.1).

    Raises:
        InvalidToken: there are several values, or the one is written otherwise.
    """
    if not values:
        return None
    match = _BEARER.fullmatch(values[0].strip(" \t"))
    if len(values) > 1 or match is None:
        raise InvalidToken
    return match[1]


def basic_pair(values: Sequence[str]) -> tuple[str, str] | None:
    """A client's id and secret in the values of ``Authorization`` (RFC 7617, RFC 6749 §2.3.1).

    None when the caller did not try HTTP Basic; what is written otherwise, or comes twice, is a
    pair that can't be right.
    """
    if not any(value.strip(" \t")[:5].lower() == "basic" for value in values):
        return None
    match = _BASIC.fullmatch(values[0].strip(" \t"))
    if len(values) > 1 or match is None:
        return "", ""
    try:
        text = base64.b64decode(match[1], validate=True).decode("utf-8")
        name, _, secret = text.partition(":")
        return unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
