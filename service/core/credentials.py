"""Secrets that people hand to programs: how they are made, told apart, and kept."""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass, field
from uuid import UUID
from zlib import crc32

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID, _SECRET, _CHECK = 22, 43, 6
"""Digits of base 62 that 128, 256 and 32 bits take."""
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Minted:
    """A new secret: ``text`` is told once, ``hash`` is kept, ``hint`` is how people know it."""

    id: UUID
    text: str = field(repr=False)
    hash: str = field(repr=False)
    hint: str


@dataclass(frozen=True, slots=True)
class Presented:
    """What a secret of the right form claims; nobody has looked yet whether it is one."""

    id: UUID
    hash: str = field(repr=False)


class CredentialForm:
    """``prefix``, the row's id, 256 random bits, and a checksum; letters and digits alone.

    The prefix is for people and secret scanners. The id finds the row, so what is kept needs no
    index over secrets. The checksum (CRC-32) is no defence: it makes typos and garbage cost no
    query, and lets scanners tell a secret from noise without asking.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        body = f"[0-9A-Za-z]{{{_ID + _SECRET + _CHECK}}}"
        self._form = re.compile(re.escape(prefix) + body, re.ASCII)

    def mint(self, credential_id: UUID) -> Minted:
        """A new secret for the row of that id."""
        hint = self._prefix + _base62(credential_id.int, _ID)
        secret = int.from_bytes(secrets.token_bytes(_SECRET_BYTES), "big")
        body = hint + _base62(secret, _SECRET)
        text = body + _checksum(body)
        return Minted(credential_id, text, _hash(text), hint)

    def claims(self, text: str) -> bool:
        """Whether ``text`` means to be of this form."""
        return text.startswith(self._prefix)

    def read(self, text: str) -> Presented | None:
        """What ``text`` claims; None when it was never made here, or lost a letter since."""
        if not self._form.fullmatch(text) or _checksum(text[:-_CHECK]) != text[-_CHECK:]:
            return None
        number = _number(text[len(self._prefix) :][:_ID])
        return Presented(UUID(int=number), _hash(text)) if number < 1 << 128 else None


def _hash(text: str) -> str:
    """SHA-256: of 256 random bits nothing shorter than the secret itself finds them again."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _checksum(text: str) -> str:
    return _base62(crc32(text.encode("ascii")), _CHECK)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * 62 + _DIGITS.index(digit)
    return number
