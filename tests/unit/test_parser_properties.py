"""Whatever is sent: each parser gives what it promises or refuses, and never breaks."""

import base64
import ipaddress
import json
import re
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from service.core.errors import Invalid, InvalidToken
from service.core.paging import Cursors
from service.core.parsing import read_json
from service.core.preconditions import Precondition, entity_tags, is_known
from service.transport.addresses import Callers
from service.transport.credentials import bearer_token
from service.transport.http.bodies import query
from service.transport.http.errors import PROBLEM, _wants_problem
from service.transport.request_ids import request_id

HEADERS = st.text(st.characters(max_codepoint=255) | st.characters(categories=["Cs"]), max_size=60)
"""What Sanic makes of the bytes of a header: half surrogates stand for bytes that are not UTF-8."""
SEEN = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)
slow_to_shrink = settings(deadline=None)


def asked(peer: str = "10.0.0.1", **headers: list[str]) -> Any:
    pairs = [(name.replace("_", "-"), value) for name, each in headers.items() for value in each]
    return cast(Any, SimpleNamespace(ip=peer, headers=CIMultiDict(pairs)))


# JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from("abc"), JSON, min_size=1), st.sampled_from("abc"))
@slow_to_shrink
def test_a_key_given_twice_is_refused_however_deep(fields: dict[str, object], key: str) -> None:
    text = json.dumps(fields)
    twice = f'{{"x": [{text[:-1]}, "{key}": 1}}]}}'.encode()
    if key in fields:
        with pytest.raises(Invalid):
            read_json(twice)
    else:
        assert read_json(twice)


@given(st.integers(309, 5000), st.sampled_from(["1e{}", "-1E+{}", "0.5e{}"]))
@slow_to_shrink
def test_a_number_beyond_every_number_is_refused(exponent: int, form: str) -> None:
    with pytest.raises(Invalid):
        read_json(form.format(exponent).encode())


@pytest.mark.parametrize("depth", [2_000, 100_000, 500_000])
@pytest.mark.parametrize("begin", [b"[", b'{"a":'])
def test_what_is_too_deep_is_refused(begin: bytes, depth: int) -> None:
    for text in (begin * depth, begin * depth + b"1" + (b"]", b"}")[begin != b"["] * depth):
        with pytest.raises(Invalid):
            read_json(text)


@pytest.mark.parametrize("digits", [4_301, 100_000, 1_000_000])
def test_a_whole_number_that_is_too_long_is_refused_at_once(digits: int) -> None:
    with pytest.raises(Invalid):
        read_json(b"9" * digits)


# Queries

PAIRS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.text(
    st.characters(exclude_categories=["Cs"]), max_size=9), max_size=9)  # fmt: skip


@given(PAIRS)
@slow_to_shrink
def test_a_query_is_read_back_as_it_was_written(pairs: dict[str, str]) -> None:
    assert query(cast(Any, SimpleNamespace(query_string=urlencode(pairs)))) == pairs


@given(st.text(st.characters(max_codepoint=126), max_size=80))
@slow_to_shrink
def test_any_query_is_names_and_values_or_refused(text: str) -> None:
    fields: list[str] = []
    try:
        found = query(cast(Any, SimpleNamespace(query_string=text)))
    except Invalid as refused:
        found, fields = {}, list(refused.fields)
    assert all(isinstance(value, str) for value in found.values())
    assert all(name.isprintable() for name in fields)


# Cursors

CURSORS = Cursors(b"key")


@given(st.uuids(version=4), st.integers(0, 38), st.text("=. \n*é-_A", min_size=1, max_size=4))
@slow_to_shrink
def test_a_cursor_with_anything_put_in_does_not_open(after: UUID, at: int, more: str) -> None:
    sealed = CURSORS.seal(after)
    with pytest.raises(Invalid):
        CURSORS.open(sealed[:at] + more + sealed[at:])


@given(HEADERS | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
@slow_to_shrink
def test_no_other_text_opens(text: str) -> None:
    with pytest.raises(Invalid):
        CURSORS.open(text)


# Authorization

SCHEMES = st.sampled_from(["Bearer ", "bearer  ", "Basic ", "Bearer\t", ""])


@given(st.lists(st.tuples(SCHEMES, HEADERS | SEEN).map("".join), max_size=2))
@slow_to_shrink
def test_any_authorization_is_a_token_or_refused(values: list[str]) -> None:
    try:
        token = bearer_token(values)
    except InvalidToken:
        return
    if token is None:
        assert values == []
    else:
        assert re.fullmatch(r"[A-Za-z0-9\-._~+/]+=*", token)
        assert values[0].strip(" \t").endswith(token)


# Accept

TYPES = st.sampled_from([PROBLEM, "application/json", "*/*", "text/html"])
WEIGHTS = st.sampled_from(
    ["", ";q=1", ";q=0", ";q=0.5", ";q=1.1", ";q=nan", ";q=inf", ";q=-1", ";q=1_0", ";q=٥", ";q"]
)


@given(st.lists(st.tuples(TYPES, WEIGHTS).map("".join), max_size=4), st.lists(HEADERS, max_size=2))
@slow_to_shrink
def test_any_accept_chooses_one_of_two(items: list[str], others: list[str]) -> None:
    wants = _wants_problem(asked(accept=[", ".join(items), *others]))
    assert wants in (True, False)
    if PROBLEM not in ",".join([*items, *others]).lower():
        assert not wants


@pytest.mark.parametrize(
    "weight", ["nan", "inf", "-1", "1.1", "1_0", "1e0", "٥", "０", "", "0.0000"]
)
def test_a_weight_that_is_none_counts_for_nothing(weight: str) -> None:
    assert not _wants_problem(asked(accept=[f"{PROBLEM};q={weight}"]))


# If-Match, If-None-Match


@given(HEADERS | st.lists(SEEN.map(lambda text: f'"{text}"')).map(", ".join))
@example("*")
@slow_to_shrink
def test_any_precondition_is_read_or_refused(text: str) -> None:
    assert is_known(text, '"7"') in (True, False)
    try:
        demanded = Precondition.read(text)
    except Invalid:
        return
    assert demanded.tags is None or demanded.tags == frozenset(entity_tags(text))
    assert demanded.tags is None or all(tag in text for tag in demanded.tags)


@pytest.mark.parametrize("text", ['"' * 4000, "," * 4000, 'W/"' * 1300, " " * 4096, '"a" ' * 1000])
def test_a_strange_precondition_is_decided_at_once(text: str) -> None:
    """It takes as long as its length and no more; quadratic, it would not end in this run."""
    for _ in range(50):
        is_known(text, '"7"')


# Where a request comes from

ENTRIES = st.one_of(
    HEADERS,
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map(lambda address: f"{address}:4711"),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]:4711"),
    st.tuples(st.ip_addresses(v=6), SEEN).map(lambda pair: f"{pair[0]}%{pair[1]}"),
)


@given(st.lists(st.lists(ENTRIES, max_size=3).map(", ".join), max_size=3))
@slow_to_shrink
def test_any_forwarding_ends_in_a_plain_address(values: list[str]) -> None:
    found = Callers(["10.0.0.0/8", "fd00::/8"]).address("10.0.0.1", values)
    assert str(ipaddress.ip_address(found)) == found
    assert "%" not in found


@given(st.ip_addresses().map(str), st.lists(ENTRIES, max_size=3))
@slow_to_shrink
def test_a_stranger_is_never_believed(peer: str, values: list[str]) -> None:
    found = Callers(["192.0.2.0/24"]).address(peer, values)
    if ipaddress.ip_address(peer) not in ipaddress.ip_network("192.0.2.0/24"):
        own = ipaddress.ip_address(peer)
        mapped = own.ipv4_mapped if isinstance(own, ipaddress.IPv6Address) else None
        assert found == str(mapped or own)


# Request ids


@given(st.lists(HEADERS, max_size=2))
@slow_to_shrink
def test_any_request_id_is_a_sane_one(given_ids: list[str]) -> None:
    name = request_id(given_ids)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name)
    assert len(given_ids) != 2 or name not in given_ids
