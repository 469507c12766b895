"""A cursor is good only as this service made it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import Invalid
from service.core.ids import new_id
from service.core.paging import Cursors, pages

CURSORS = Cursors(b"a key")


@given(st.uuids())
def test_a_sealed_cursor_opens(after: object) -> None:
    assert CURSORS.open(CURSORS.seal(after)) == after  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_no_text_of_ones_own_opens(text: str) -> None:
    with pytest.raises(Invalid):
        CURSORS.open(text)


@given(st.integers(0, 27), st.integers(1, 255))
def test_a_cursor_with_one_byte_changed_does_not_open(place: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(CURSORS.seal(new_id()) + "=="))
    raw[place] ^= change
    with pytest.raises(Invalid):
        CURSORS.open(base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))


def test_a_cursor_of_another_service_does_not_open() -> None:
    with pytest.raises(Invalid) as refused:
        CURSORS.open(Cursors(b"another key").seal(new_id()))
    assert set(refused.value.fields) == {"cursor"}


def test_a_cursor_has_no_character_that_a_query_would_escape() -> None:
    assert all(
        CURSORS.seal(new_id()).replace("-", "").replace("_", "").isalnum() for _ in range(99)
    )


@pytest.mark.parametrize(
    ("total", "size", "count"), [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2)]
)
def test_the_last_page_may_be_short(total: int, size: int, count: int) -> None:
    assert pages(total, size) == count
