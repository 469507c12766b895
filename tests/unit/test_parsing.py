"""What comes in is read strictly: RFC 8259 and no more, known fields and no more."""

import json
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from service.core.errors import Invalid
from service.core.paging import PAGE_MAX, PageQuery
from service.core.parsing import Command, parse, read_json
from service.core.text import Name
from service.users.schemas import ListUsers, SetStatus

VECTORS = Path(__file__).parents[1] / "data" / "vectors" / "json_parsing"
BAD = sorted(VECTORS.glob("n_*.json"))
GOOD = sorted(VECTORS.glob("y_*.json"))


class Order(Command):
    """A form to try the parser on."""

    name: Name
    count: Annotated[int, Field(ge=1)] = 1
    note: str | None = None


class Parcel(Command):
    """A form with another inside."""

    order: Order


def refusal(form: type[Command], raw: bytes | dict[str, object]) -> Invalid:
    with pytest.raises(Invalid) as caught:
        parse(form, raw)
    return caught.value


def test_the_vectors_are_there() -> None:
    assert (len(BAD), len(GOOD)) == (186, 95)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_what_is_not_json_is_refused(path: Path) -> None:
    with pytest.raises(Invalid):
        read_json(path.read_bytes())


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_is_json_is_read_or_refused_for_a_doubled_key(path: Path) -> None:
    text = path.read_bytes()
    if "duplicated" in path.stem:
        with pytest.raises(Invalid):
            read_json(text)
    else:
        assert read_json(text) == json.loads(text)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_json_writes_is_read_back(value: object) -> None:
    assert (
        read_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == value
    )


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    try:
        parse(Order, data)
    except Invalid:
        pass


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xef\xbb\xbf{}",
        '{"name": "Ada"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b'{"name": "Ada", "name": "Bob"}',
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b"'{}'",
    ],
    ids=lambda text: repr(text[:16]),
)
def test_hostile_bodies_are_refused(text: bytes) -> None:
    with pytest.raises(Invalid):
        parse(Order, text)


@pytest.mark.parametrize("text", [b"[]", b"null", b"1", b'"name"', b"true"])
def test_a_body_that_is_no_object_is_refused(text: bytes) -> None:
    assert refusal(Order, text).text == "The body must be a JSON object."


def test_each_fault_stands_under_its_field() -> None:
    fields = refusal(Order, b'{"count": 0, "note": 1, "more": true}').fields
    assert set(fields) == {"name", "count", "note", "more"}
    assert fields["name"] == ["This field is required."]
    assert fields["more"] == ["Unknown field."]
    assert fields["note"] == ["Must be text."]


def test_a_fault_further_inside_is_named_by_its_path() -> None:
    assert set(refusal(Parcel, b'{"order": {"name": ""}}').fields) == {"order.name"}


@pytest.mark.parametrize("count", [b'"1"', b"1.0", b"true", b"null", b"[1]"])
def test_nothing_is_coerced(count: bytes) -> None:
    assert set(refusal(Order, b'{"name": "Ada", "count": ' + count + b"}").fields) == {"count"}


def test_the_value_is_never_repeated() -> None:
    canary = "s3cret-canary"
    faults = refusal(Order, {"name": canary * 40, "count": canary, "note": [canary]})
    assert canary not in json.dumps(faults.fields)


def test_the_name_of_an_unknown_field_is_shown_short_and_printable() -> None:
    fields = refusal(Order, {"name": "Ada", "\x1b[31m\u202e" + "x" * 500: 1}).fields
    (shown,) = fields
    assert len(shown) == 64
    assert shown.isprintable()
    shown.encode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"name": "Ada", "note": "\\ud800"}', "a text holds half of a surrogate pair"),
        (b'{"\\uDFFF": 1}', "a text holds half of a surrogate pair"),
        (b'{"s3cret": 1, "s3cret": 2}', "a member name comes twice in one object"),
        (b'{"count": NaN}', "NaN and Infinity are no numbers"),
        (b'{"count": -Infinity}', "NaN and Infinity are no numbers"),
        (b'{"count": 1e999}', "a number is out of range"),
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark"),
        (b'{"name": "\xff"}', "it is not UTF-8"),
    ],
)
def test_what_is_json_to_others_alone_is_told_why(text: bytes, why: str) -> None:
    assert refusal(Order, text).text == f"The body is not valid JSON: {why}."


@pytest.mark.parametrize("text", [b"", b"{", b"s3cret", b"[" * 100_000])
def test_what_is_no_json_to_anybody_is_told_no_more(text: bytes) -> None:
    assert refusal(Order, text).text == "The body is not valid JSON."


@pytest.mark.parametrize(
    ("page", "told"),
    [
        *((text, "Must be at least 0.") for text in ("-1", "-99999999999", "-" + "9" * 99)),
        *((text, f"Must be at most {PAGE_MAX}.") for text in ("1000000000000", "9" * 99)),
        *((text, "Must be a whole number.") for text in ("", "one", "1.0", "٥", "--1", "+1", "-")),
    ],
)
def test_a_number_out_of_bounds_is_told_the_bound(page: str, told: str) -> None:
    assert refusal(PageQuery, {"page": page}).fields == {"page": [told]}


@pytest.mark.parametrize("status", ["'", "Active", "", 1, True, ["active"], {}])
def test_a_word_of_several_is_told_all_of_them(status: object) -> None:
    told = {"status": ["Must be one of active, inactive, suspended."]}
    assert refusal(ListUsers, {"status": status}).fields == told
    assert refusal(SetStatus, {"status": status}).fields == told


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert parse(Order, b'{"name": "\\ud83d\\ude00"}').name == "\N{GRINNING FACE}"


def test_absent_and_null_are_told_apart() -> None:
    assert parse(Order, b'{"name": "Ada", "note": null}').changes == {"name": "Ada", "note": None}
    assert parse(Order, b'{"name": "Ada"}').changes == {"name": "Ada"}


def test_fields_already_taken_apart_are_read_alike() -> None:
    assert parse(Order, {"name": "Ada", "count": 2}) == parse(Order, b'{"name":"Ada","count":2}')
