"""Pages of a list: numbered ones, and keyset ones by a sealed cursor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from service.core.errors import Invalid
from service.core.parsing import Command
from service.core.seals import Seals
from service.core.text import Number


class Identified(Protocol):
    """A row that lists are in the order of."""

    @property
    def id(self) -> UUID: ...


T = TypeVar("T")
R = TypeVar("R", bound=Identified)
V = TypeVar("V", bound=BaseModel)

SIZE_DEFAULT, SIZE_MAX = 10, 100
PAGE_MAX = 2**31 - 1
EXACT_TOTAL = 10_000
"""Up to this many rows ``total`` is exact; beyond, it may be ``TOTAL_AGE`` seconds old."""
TOTAL_AGE = 5


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
    """Turns the last id of a page into an opaque, sealed text and back (``core.seals``)."""

    def __init__(self, key: bytes, *previous: bytes) -> None:
        self._seals = Seals(key, *previous)

    def page(self, query: PageQuery, found: Slice[R], view: Callable[[R], V]) -> Page[V]:
        """What was found as clients see it, with the cursor of what follows."""
        page: Page[V] = Page(
            data=[view(row) for row in found.rows],
            size=query.size,
            next_cursor=self.seal(found.rows[-1].id) if found.more else None,
        )
        if found.total is not None:
            page.page, page.total = query.page, found.total
            page.total_pages = pages(found.total, query.size)
        return page

    def seal(self, after: UUID) -> str:
        """The cursor that continues after ``after``."""
        return self._seals.seal(after.bytes)

    def open(self, cursor: str) -> UUID:
        """The id a cursor continues after.

        Raises:
            Invalid: this service did not make it.
        """
        after = self._seals.open(cursor)
        if after is None or len(after) != 16:
            raise Invalid({"cursor": ["Must be a next_cursor that this service gave."]})
        return UUID(bytes=after)
