"""Signed texts in the compact form, and no other (RFC 7515 §7.1, RFC 8725)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from service.keys.algorithms import Key
from service.keys.encoding import Unfit, decoded, encoded, json_object

LENGTH_MAX = 4096
"""Characters; longer texts are refused unread."""
_DANGEROUS = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip"})
"""Parameters that change what is read, or bring a key along. No key is ever taken from a header."""


@dataclass(frozen=True, slots=True)
class Jws:
    """A text taken apart, of which nothing is believed yet."""

    header: Mapping[str, Any]
    kid: str | None
    payload: bytes
    message: bytes
    signature: bytes

    def check(self, key: Key) -> bytes:
        """The payload, which ``key`` signed.

        Raises:
            Unfit: another key did, or the header names another algorithm than the key's own.
        """
        if self.header["alg"] != key.algorithm:
            raise Unfit("its algorithm is not its key's")
        if self.kid is not None and self.kid != key.kid:
            raise Unfit("its key is another one")
        if not key.verifies(self.message, self.signature):
            raise Unfit("its signature is wrong")
        return self.payload


def parse(text: str) -> Jws:
    """``text`` taken apart.

    Raises:
        Unfit: it is not exactly a signed text in the compact form.
    """
    if len(text) > LENGTH_MAX:
        raise Unfit(f"longer than {LENGTH_MAX} characters")
    parts = text.split(".")
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise Unfit("not three parts with a dot between")
    header, payload, signature = _header(parts[0]), decoded(parts[1]), decoded(parts[2])
    message = f"{parts[0]}.{parts[1]}".encode()
    return Jws(header, header.get("kid"), payload, message, signature)


@lru_cache(maxsize=256)
def _header(text: str) -> Mapping[str, Any]:
    """A header; all tokens of one key share one, so it need not be read each time.

    Raises:
        Unfit.
    """
    read = json_object(decoded(text))
    if not isinstance(read.get("alg"), str):
        raise Unfit("its header names no algorithm")
    if _DANGEROUS & read.keys():
        raise Unfit("its header has a parameter that is refused")
    if not isinstance(read.get("kid", ""), str):
        raise Unfit("its kid is no text")
    return MappingProxyType(read)


def sign(key: Key, typ: str, payload: bytes) -> str:
    """``payload`` under a header that names the key, its algorithm and ``typ``."""
    header = json.dumps({"alg": key.algorithm, "kid": key.kid, "typ": typ}, separators=(",", ":"))
    message = f"{encoded(header.encode())}.{encoded(payload)}"
    return f"{message}.{encoded(key.sign(message.encode()))}"
