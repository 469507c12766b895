"""Pages of a list: numbered ones, and keyset ones by a sealed cursor."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from service.core.errors import Invalid
from service.core.parsing import Command
from service.core.text import Number

T = TypeVar("T")
V = TypeVar("V", bound=BaseModel)

SIZE_DEFAULT, SIZE_MAX = 10, 100
PAGE_MAX = 2**31 - 1
EXACT_TOTAL = 10_000
"""Up to this many rows ``total`` is exact; beyond, it may be ``TOTAL_AGE`` seconds old."""
TOTAL_AGE = 5
_MAC_BYTES = 12


class PageQuery(Command):
    """Which page is wanted."""

    page: Annotated[Number, Field(ge=0, le=PAGE_MAX)] = 0
    size: Annotated[Number, Field(ge=1, le=SIZE_MAX)] = SIZE_DEFAULT
    cursor: Annotated[str, Field(max_length=200)] | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Rows as a repository gives them; ``total`` is None on keyset pages."""

    rows: Sequence[T]
    total: int | None
    more: bool


class Page(BaseModel, Generic[V]):
    """A page as clients see it. A keyset page has no ``page``, ``total`` and ``total_pages``."""

    data: list[V]
    page: int | None = None
    size: int
    total: int | None = None
    total_pages: int | None = None
    next_cursor: str | None = None


def pages(total: int, size: int) -> int:
    return -(-total // size)


class Cursors:
    """Turns the last id of a page into an opaque, sealed text and back.

    The seal keeps clients from making cursors of their own, so its form may change freely.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, after: UUID) -> str:
        """The cursor that continues after ``after``."""
        return base64.urlsafe_b64encode(after.bytes + self._mac(after.bytes)).decode().rstrip("=")

    def open(self, cursor: str) -> UUID:
        """The id a cursor continues after.

        Raises:
            Invalid: this service did not make it.
        """
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        after, mac = raw[:16], raw[16:]
        if not hmac.compare_digest(mac, self._mac(after)) or len(after) != 16:
            raise Invalid({"cursor": ["Must be a next_cursor that this service gave."]})
        return UUID(bytes=after)

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, hashlib.sha256)[:_MAC_BYTES]
