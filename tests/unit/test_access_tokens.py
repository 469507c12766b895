"""An access token is good only exactly as it was issued (RFC 8725)."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from service.auth.access_tokens import TOKEN_MAX, AccessTokens
from service.core.errors import InvalidToken
from service.core.ids import new_id
from tests.support.clock import MovingClock
from tests.support.forge import Forge

SECRET = b"a secret of at least thirty-two bytes"
USER, SESSION = new_id(), new_id()


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def tokens(clock: MovingClock) -> AccessTokens:
    return made(clock)


def made(clock: MovingClock, secret: bytes = SECRET, **other: Any) -> AccessTokens:
    names = {"issuer": "arcana", "audience": "arcana"} | other
    return AccessTokens(secret, lifetime=timedelta(hours=1), clock=clock, **names)


@pytest.fixture
def good(tokens: AccessTokens) -> str:
    return tokens.issue(USER, SESSION, frozenset({"user", "admin"}), epoch=3)


def test_what_was_issued_is_read_back(tokens: AccessTokens, good: str, clock: MovingClock) -> None:
    claims = tokens.read(good)
    assert (claims.user_id, claims.session_id, claims.epoch) == (USER, SESSION, 3)
    assert claims.roles == {"user", "admin"}
    assert claims.issued_at == clock().replace(microsecond=0)
    assert claims.expires_at - claims.issued_at == timedelta(hours=1)


def test_the_claims_and_header_are_those_of_the_contract(good: str) -> None:
    assert set(jwt.get_unverified_header(good)) == {"alg", "kid", "typ"}
    assert jwt.get_unverified_header(good)["typ"] == "at+jwt"
    claims = jwt.decode(good, options={"verify_signature": False})
    named = {"iss", "aud", "sub", "sid", "jti", "roles", "type", "iat", "exp"}
    assert set(claims) == named | {"epoch"}
    assert claims["type"] == "access"


def test_two_tokens_of_one_second_differ(tokens: AccessTokens) -> None:
    made = {tokens.issue(USER, SESSION, frozenset(), 0) for _ in range(10)}
    assert len(made) == 10


def test_a_token_lives_for_its_lifetime_and_no_longer(
    tokens: AccessTokens, good: str, clock: MovingClock
) -> None:
    clock.forward(minutes=59, seconds=59)
    assert tokens.read(good)
    clock.forward(seconds=1)
    with pytest.raises(InvalidToken):
        tokens.read(good)


@pytest.mark.parametrize("other", [{"issuer": "else"}, {"audience": "else"}])
def test_a_token_for_another_audience_or_by_another_issuer_is_refused(
    clock: MovingClock, good: str, other: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken):
        made(clock, **other).read(good)


def test_a_token_of_another_key_is_refused(clock: MovingClock, good: str) -> None:
    with pytest.raises(InvalidToken):
        made(clock, secret=b"another secret, also of 32 bytes or so").read(good)


@pytest.mark.parametrize("name", sorted(Forge.KINDS))
def test_a_forged_token_is_refused(tokens: AccessTokens, good: str, name: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.read(Forge(SECRET).make(name, good))


@pytest.mark.parametrize(
    "claim", ["iss", "aud", "sub", "sid", "jti", "roles", "epoch", "type", "exp"]
)
@pytest.mark.parametrize("value", [None, 1.5, [], {}, [1], "else"])
def test_a_token_with_a_claim_of_another_form_is_refused(
    tokens: AccessTokens, good: str, claim: str, value: Any
) -> None:
    if (claim, value) in (("roles", []), ("jti", "else")):
        return  # these are good ones
    with pytest.raises(InvalidToken):
        tokens.read(Forge(SECRET).resigned(good, claims={claim: value}))


def test_a_token_that_is_too_long_is_refused_unread(tokens: AccessTokens, good: str) -> None:
    long = Forge(SECRET).resigned(good, claims={"more": "x" * TOKEN_MAX})
    with pytest.raises(InvalidToken):
        tokens.read(long)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "a.b", "é.é.é", "\ud800.a.b", "a.b.c.d.e", " ", "\x00"]
)
def test_garbage_is_refused(tokens: AccessTokens, text: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.read(text)


def test_a_header_nested_too_deep_is_refused(tokens: AccessTokens, good: str) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 2000).decode().rstrip("=")
    with pytest.raises(InvalidToken):
        tokens.read(".".join([deep, *good.split(".")[1:]]))


def test_a_doubled_claim_does_not_help(tokens: AccessTokens, good: str) -> None:
    claims = jwt.decode(good, options={"verify_signature": False})
    doubled = json.dumps(claims)[:-1] + ', "type": "refresh"}'
    with pytest.raises(InvalidToken):
        tokens.read(Forge(SECRET).signed(jwt.get_unverified_header(good), doubled.encode()))
