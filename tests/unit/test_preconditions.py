"""Entity tags and what callers demand of them (RFC 9110 §8.8.3, §13.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import EtagMismatch, Invalid
from service.core.preconditions import LENGTH_MAX, Precondition, entity_tags, etag_of, is_known

OPAQUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f'))
OPAQUE = OPAQUE.filter(lambda text: not any(0x7F <= ord(c) < 0x80 for c in text))


def holds(if_match: str | None, version: int) -> bool:
    try:
        Precondition.read(if_match).check(version)
    except EtagMismatch as refused:
        return refused.etag != etag_of(version)  # it must tell what the row has
    return True


@pytest.mark.parametrize("anything", [None, "*", " *\t"])
def test_nothing_and_the_star_hold_for_every_version(anything: str | None) -> None:
    assert holds(anything, 1)
    assert holds(anything, 2**31)


@pytest.mark.parametrize(
    ("if_match", "version", "expected"),
    [
        ('"7"', 7, True),
        ('"7"', 77, False),
        ('"07"', 7, False),
        ('W/"7"', 7, False),
        ('"6","7"', 7, True),
        (',,"6" ,\t"7",', 7, True),
        ('"6,7"', 7, False),
        ('"*"', 7, False),
        ('""', 7, False),
    ],
)
def test_a_strong_tag_of_the_list_holds(if_match: str, version: int, expected: bool) -> None:
    assert holds(if_match, version) is expected


@pytest.mark.parametrize(
    "text",
    ["", " ", ",", "7", '"7', '7"', '"7" "8"', '*,"7"', 'w/"7"', 'W/ "7"', '"a b"', '"\x7f"'],
)
def test_what_is_no_list_of_tags_is_invalid(text: str) -> None:
    with pytest.raises(Invalid):
        Precondition.read(text)


def test_a_list_beyond_all_measure_is_invalid_and_costs_nothing() -> None:
    with pytest.raises(Invalid):
        Precondition.read('"7",' * LENGTH_MAX)
    with pytest.raises(Invalid):
        Precondition.read(" \t" * (LENGTH_MAX // 2))


@given(st.lists(st.tuples(st.booleans(), OPAQUE), min_size=1, max_size=5))
def test_every_well_formed_list_is_read_as_it_was_written(tags: list[tuple[bool, str]]) -> None:
    written = [f'W/"{text}"' if weak else f'"{text}"' for weak, text in tags]
    assert entity_tags(" , ".join(written)) == written


@pytest.mark.parametrize(
    ("if_none_match", "known"),
    [
        (None, False),
        ("*", True),
        ('"7"', True),
        ('W/"7"', True),
        ('"6", W/"7"', True),
        ('"6"', False),
        ("7", False),
        ('"7', False),
    ],
)
def test_if_none_match_compares_weakly_and_passes_over_what_it_cannot_read(
    if_none_match: str | None, known: bool
) -> None:
    assert is_known(if_none_match, '"7"') is known


@pytest.mark.parametrize("text", ['"7"\n', "\n", '"7",\n', '"7"\r', '"7" \x0b'])
def test_a_line_end_ends_in_a_refusal(text: str) -> None:
    """``$`` matches before one, and what reads on from there never came to an end."""
    assert entity_tags(text) == []
