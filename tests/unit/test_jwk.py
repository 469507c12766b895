"""Which keys are read, and which are refused: weak, for something else, or malformed."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from service.keys.algorithms import ALGORITHMS, KINDS, Algorithm, EcKey, HmacKey, Key, RsaKey
from service.keys.encoding import Unfit, decoded, encoded, json_object
from service.keys.jwk import public_jwk, read_jwk
from service.keys.jws import parse, sign
from tests.support.keys import key_for

PAIRS: tuple[Algorithm, ...] = ("EdDSA", "ES256", "RS256")


def jwk_of(algorithm: Algorithm) -> dict[str, Any]:
    """A good one."""
    key = key_for(algorithm)
    return public_jwk(key) or {"kty": "oct", "k": encoded(key.private()), "kid": key.kid}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_key_is_read_and_checks_what_it_signed(algorithm: Algorithm) -> None:
    read = read_jwk(jwk_of(algorithm))
    assert parse(sign(key_for(algorithm), "at+jwt", b"{}")).check(read) == b"{}"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"use": None},
        {"use": ["sig"]},
        {"key_ops": ["encrypt"]},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"key_ops": ["verify", "verify"]},
        {"key_ops": [1]},
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": None},
        {"kty": "AKP"},
        {"kty": None},
        {"crv": "P-521"},
        {"crv": "secp256k1"},
        {"kid": 7},
        {"kid": None},
    ],
    ids=str,
)
def test_a_key_for_something_else_is_refused(algorithm: Algorithm, change: dict[str, Any]) -> None:
    with pytest.raises(Unfit):
        read_jwk({**jwk_of(algorithm), **change})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "value", [None, 7, "", "A", "A" * 43 + "=", "é", "A" * 10, "AA==", "_" * 43]
)
def test_a_key_with_a_member_of_another_form_is_refused(algorithm: Algorithm, value: Any) -> None:
    good = jwk_of(algorithm)
    for name in {"k", "x", "y", "n", "e"} & good.keys():
        with pytest.raises(Unfit):
            read_jwk({**good, name: value})


@pytest.mark.parametrize("algorithm", PAIRS)
@pytest.mark.parametrize("name", ["d", "p", "qi"])
def test_a_private_key_is_refused(algorithm: Algorithm, name: str) -> None:
    with pytest.raises(Unfit, match="private"):
        read_jwk({**jwk_of(algorithm), name: "AA"})


def test_weak_keys_are_refused() -> None:
    with pytest.raises(Unfit, match="32 bytes"):
        HmacKey(b"x" * 31, "k")
    with pytest.raises(Unfit, match="2048"):
        RsaKey(rsa.generate_private_key(65537, 1024))  # noqa: S505  # that is the point
    with pytest.raises(Unfit, match="exponent"):
        RsaKey(rsa.generate_private_key(3, 2048))
    with pytest.raises(Unfit, match="P-256"):
        EcKey(ec.generate_private_key(ec.SECP384R1()))


def test_a_modulus_that_is_longer_than_any_check_may_cost_is_refused() -> None:
    good = jwk_of("RS256")
    with pytest.raises(Unfit):
        read_jwk({**good, "n": encoded(b"\xff" * 1025)})


def test_a_point_off_the_curve_is_refused() -> None:
    good = jwk_of("ES256")
    with pytest.raises(Unfit, match="curve"):
        read_jwk({**good, "y": good["x"]})


def test_a_number_with_a_zero_before_it_is_refused() -> None:
    with pytest.raises(Unfit, match="shortest"):
        read_jwk({**jwk_of("RS256"), "e": encoded(b"\x00\x01\x00\x01")})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_made_again_from_its_private_part(algorithm: Algorithm) -> None:
    key = key_for(algorithm)
    again = KINDS[algorithm].restored(key.private(), key.kid)
    assert parse(sign(again, "x", b"y")).check(key) == b"y"


@pytest.mark.parametrize("algorithm", PAIRS)
def test_a_public_key_signs_nothing(algorithm: Algorithm) -> None:
    public = read_jwk(jwk_of(algorithm))
    with pytest.raises(Unfit):
        public.sign(b"")
    with pytest.raises(Unfit):
        public.private()


@pytest.mark.parametrize("algorithm", PAIRS)
def test_the_private_part_of_another_kind_is_refused(algorithm: Algorithm) -> None:
    for other in set(PAIRS) - {algorithm}:
        with pytest.raises(Unfit):
            KINDS[algorithm].restored(key_for(other).private(), "k")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_of_another_length_is_refused(algorithm: Algorithm) -> None:
    key: Key = key_for(algorithm)
    good = key.sign(b"x")
    assert key.verifies(b"x", good)
    for bad in (b"", good[:-1], good + b"\x00", b"\x00" + good, good * 2):
        assert not key.verifies(b"x", bad)


def test_a_symmetric_key_is_published_to_nobody() -> None:
    assert public_jwk(key_for("HS256")) is None


def test_nothing_of_a_key_shows_in_its_text() -> None:
    for algorithm in ALGORITHMS:
        key = key_for(algorithm)
        assert repr(key) == f"<{algorithm} key {key.kid}>"


# What both layers are made of


@given(st.binary(max_size=64))
def test_every_spelling_but_one_is_refused(raw: bytes) -> None:
    text = encoded(raw)
    assert decoded(text) == raw
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [text + "=", text + "\n", " " + text, text + "+", text + "ä"]
    if len(raw) % 3:
        others += [text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]]
    for other in others:
        with pytest.raises(Unfit):
            decoded(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"a"',
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        "{'a':1}",
        '{"a":1}x',
        "\ufeff{}",
        '{"a":' + "[" * 3000 + "]" * 3000 + "}",
        '{"a":' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_plain_json_object_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        json_object(text.encode())
    with pytest.raises(Unfit):
        json_object(text.encode("utf-16") + b"\xff")


@pytest.mark.parametrize(
    "more",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": True},
        {"jwk": {}},
        {"jku": "https://example.com"},
        {"x5u": "https://example.com"},
        {"x5c": []},
        {"x5t": "x"},
        {"zip": "DEF"},
        {"alg": 1},
        {"alg": None},
        {"kid": 1},
    ],
    ids=str,
)
def test_a_header_that_brings_a_key_or_changes_the_reading_is_refused(more: dict[str, Any]) -> None:
    header = encoded(json.dumps({"alg": "HS256", "kid": "k", **more}).encode())
    with pytest.raises(Unfit):
        parse(f"{header}.e30.AA")


def test_a_text_is_measured_before_it_is_read() -> None:
    with pytest.raises(Unfit, match="longer than 4096"):
        parse("." * 4097)
