"""Addresses have one normal form, names keep every script, search folds case and accents."""

import unicodedata
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from service.core.text import (
    EMAIL_MAX,
    Email,
    Name,
    Number,
    Whole,
    clean_line,
    folded,
    normal_email,
)

NAME: TypeAdapter[str] = TypeAdapter(Name)
EMAIL: TypeAdapter[str] = TypeAdapter(Email)
NUMBER: TypeAdapter[int] = TypeAdapter(Number)
WHOLE: TypeAdapter[int] = TypeAdapter(Whole)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada@example.com\n", "ada@example.com"),
        ("Ada+Notes@Example.Com", "ada+notes@example.com"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"),
        ("Rene\u0301@example.com", "ren\u00e9@example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("Straße@example.com", "straße@example.com"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
        ("o'neil@example.com", "o'neil@example.com"),
    ],
)
def test_an_address_has_one_normal_form(typed: str, stored: str) -> None:
    assert normal_email(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@@example.com",
        "ada@exam ple.com",
        "ada bob@example.com",
        "ada@example.com, bob@example.com",
        "ada@example..com",
        "ada@-example.com",
        ".ada@example.com",
        "a..da@example.com",
        "ada@[127.0.0.1]",
        "ada\n@example.com",
        "ada\x00@example.com",
        "ada@example.com\x00",
        "Ada <ada@example.com>",
        "\ud800@example.com",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="e-mail address"):
        normal_email(typed)


def test_an_address_may_have_254_characters_and_no_more() -> None:
    domain = ".".join(["d" * 61] * 3) + ".example"
    longest = "a" * (EMAIL_MAX - len(domain) - 1) + "@" + domain
    assert len(longest) == EMAIL_MAX
    assert normal_email(longest) == longest
    with pytest.raises(ValueError, match="e-mail address"):
        normal_email("a" + longest)


@given(st.emails())
def test_the_normal_form_of_a_normal_form_is_itself(email: str) -> None:
    try:
        stored = normal_email(email)
    except ValueError:
        return
    assert normal_email(stored) == stored
    assert normal_email(stored.swapcase()) == stored or not stored.isascii()


@given(st.text(max_size=80).map(lambda text: f"{text}@example.com"))
def test_any_text_is_a_normal_address_or_refused(text: str) -> None:
    try:
        stored = normal_email(text)
    except ValueError:
        return
    assert stored == normal_email(stored) == unicodedata.normalize("NFC", stored)
    assert stored == stored.lower()


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "حدیث هدایت",
        "松田 篤司",
        "नेहा शर्मा",
        "Zoë D’Ångelo-Núñez",
        "👩🏽‍💻",
        "אסתר לוי",
        "ﬀ",
        "e\u0301",
    ],
)
def test_a_name_is_kept_as_it_was_typed(name: str) -> None:
    assert NAME.validate_python(f"  {name}\u3000") == name


@pytest.mark.parametrize(
    "name", ["", " \t ", "a\x00b", "a\nb", "a\x1b[31mb", "a\x85b", "a\x7fb", "\ud800", "x" * 256]
)
def test_a_name_that_is_empty_long_or_has_controls_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(name)


def test_a_name_may_have_255_characters_whatever_their_bytes() -> None:
    assert NAME.validate_python("𝔸" * 255) == "𝔸" * 255


def test_a_line_may_be_allowed_to_be_empty() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(Annotated[str, clean_line(3, least=0)])
    assert adapter.validate_python("  ") == ""


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ÅNGSTRÖM", "angstrom"),
        ("Straße", "STRASSE"),
        ("Rene\u0301", "RENÉ"),
        ("ﬀ", "FF"),
        ("İstanbul", "istanbul"),
        ("ΣΊΣΥΦΟΣ", "σισυφος"),
        ("Łódź", "łodz"),
    ],
)
def test_search_looks_past_case_and_accents(typed: str, found: str) -> None:
    assert folded(typed) == folded(found)


@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text(max_size=40), st.text(max_size=5), st.text(max_size=5))
def test_folding_keeps_parts_of_ascii_text_findable(text: str, before: str, after: str) -> None:
    ascii_only = "".join(c for c in text if c.isascii())
    assert folded(ascii_only) in folded(f"{before} {ascii_only} {after}")


@pytest.mark.parametrize("text", ["1_0", "1.0", " 1", "٣", "1e3", "", "+1", "0x1", "9" * 100])
def test_a_number_as_text_has_ascii_digits_only(text: str) -> None:
    with pytest.raises(ValidationError):
        NUMBER.validate_python(text, strict=True)


def test_a_number_may_come_as_text() -> None:
    assert NUMBER.validate_python("007", strict=True) == 7


@pytest.mark.parametrize("value", [27, 27.0])
def test_a_whole_number_may_be_written_with_a_point(value: object) -> None:
    assert WHOLE.validate_python(value, strict=True) == 27


@pytest.mark.parametrize("value", [27.5, "27", True, 1e400, None])
def test_nothing_else_is_a_whole_number(value: object) -> None:
    with pytest.raises(ValidationError):
        WHOLE.validate_python(value, strict=True)
