"""What may be cached comes out as it went in; what would not is refused."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from service.infra.cache.codec import Unreadable, decode, encode

hashable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False),
)
keys = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["$set", "$"]))
plain = st.recursive(
    st.one_of(hashable, st.sets(st.integers()), st.frozensets(hashable)),
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(keys, inner),
        st.dictionaries(hashable, inner),
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(left) is not type(right) or left != right:
        return False
    if isinstance(left, dict):
        pairs = zip(left.items(), right.items(), strict=True)
        return all(same(a, b) for a, b in pairs)
    if isinstance(left, list | tuple):
        return all(same(a, b) for a, b in zip(left, right, strict=True))
    return True


@given(plain)
def test_plain_data_comes_out_equal_and_of_the_same_type(value: object) -> None:
    assert same(decode(encode(value)), value)


@given(st.sets(st.one_of(st.text("abc"), st.integers())))
def test_equal_sets_are_equal_bytes(value: set[object]) -> None:
    again: set[object] = set()
    for item in sorted(value, key=str, reverse=True):
        again.add(item)
    assert encode(value) == encode(again)


def test_x62_a_datetime_comes_out_as_a_datetime() -> None:
    """SEED X62: datetimes came back as text."""
    moment = datetime(2026, 11, 23, 12, 0, 0, 1, UTC)
    assert same(decode(encode({"at": moment})), {"at": moment})
    offset = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert decode(encode(offset)).utcoffset() == offset.utcoffset()


def test_a_datetime_of_a_named_zone_keeps_its_instant_and_offset() -> None:
    winter = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("UTC"))
    assert decode(encode(winter)) == winter


def test_numbers_that_json_lacks_come_out_too() -> None:
    assert decode(encode(2**70)) == 2**70
    assert decode(encode([-(2**64)])) == [-(2**64)]
    assert decode(encode(float("-inf"))) == float("-inf")
    assert str(decode(encode(float("nan")))) == "nan"
    assert str(decode(encode(-0.0))) == "-0.0"


def test_a_uuid_of_a_drivers_own_class_comes_out_as_a_plain_one() -> None:
    class DriversUUID(UUID):
        pass

    value = DriversUUID(int=7)
    assert type(decode(encode(value))) is UUID
    assert decode(encode(value)) == value


class Colour(Enum):
    RED = "red"


class Word(StrEnum):
    RED = "red"


@dataclass
class Point:
    x: int


class Model(BaseModel):
    password_hash: str = "x"


class Text(str):
    pass


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Word.RED,
        Point(1),
        Model(),
        Text("x"),
        Pair(1, 2),
        OrderedDict(a=1),
        bytearray(b"x"),
        object(),
        len,
        "\ud800",
        {"\ud800": 1},
        datetime,
        1j,
    ],
)
def test_what_would_come_out_otherwise_is_refused(value: object) -> None:
    """SEED X55, X60: an entity turned to text, with its password hash."""
    for wrapped in (value, [value], {"inner": (value,)}):
        with pytest.raises(TypeError):
            encode(wrapped)


def test_data_in_a_circle_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(TypeError):
        encode(circle)


def test_data_as_deep_as_allowed_comes_out_even_when_every_level_needs_a_tag() -> None:
    value: object = 1
    for _ in range(60):
        value = {1: value}
    assert decode(encode(value)) == value


def test_a_whole_number_is_written_as_redis_writes_counters() -> None:
    assert encode(-12) == b"-12"
    assert decode(b"12") == 12


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"~",
        b"~2{}",
        b"~1{",
        b"hello",
        b"\xff",
        b"1.5",
        b"9" * 30,
        b'~1{"$new":1}',
        b'~1{"$UUID":"x"}',
        b'~1{"$Decimal":"x"}',
        b'~1{"$bytes":"*"}',
        b'~1{"$dict":[1]}',
    ],
)
def test_bytes_that_we_did_not_write_are_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(data)


def test_a_date_is_not_a_datetime() -> None:
    assert same(decode(encode(date(2026, 1, 2))), date(2026, 1, 2))


def test_a_decimal_keeps_its_digits() -> None:
    assert str(decode(encode(Decimal("1.10")))) == "1.10"
