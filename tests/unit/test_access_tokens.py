"""An access token is good only exactly as it was issued (RFC 8725)."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
import pytest_asyncio

from service.auth.access_tokens import TOKEN_MAX, AccessTokens
from service.core.errors import InvalidToken
from service.core.ids import new_id
from service.core.keys import derive
from service.keys.algorithms import KINDS, Algorithm, Key
from service.keys.jwk import public_jwk
from tests.support.clock import MovingClock
from tests.support.forge import Forge
from tests.support.keys import ALGORITHMS, FixedKeys, forge_of, key_for, secrets_own

SECRET = b"a secret of at least thirty-two bytes"
USER, SESSION = new_id(), new_id()


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def tokens(clock: MovingClock) -> AccessTokens:
    return made(clock)


def made(clock: MovingClock, *keys: Key, **other: Any) -> AccessTokens:
    names = {"issuer": "arcana", "audience": "arcana"} | other
    known = FixedKeys(*(keys or [secrets_own(SECRET)]))
    return AccessTokens(known, lifetime=timedelta(hours=1), clock=clock, **names)


@pytest_asyncio.fixture
async def good(tokens: AccessTokens) -> str:
    return await issued(tokens)


async def issued(tokens: AccessTokens) -> str:
    return await tokens.issue(USER, SESSION, frozenset({"user", "admin"}), epoch=3)


async def test_what_was_issued_is_read_back(
    tokens: AccessTokens, good: str, clock: MovingClock
) -> None:
    claims = await tokens.read(good)
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


async def test_two_tokens_of_one_second_differ(tokens: AccessTokens) -> None:
    assert len({await issued(tokens) for _ in range(10)}) == 10


async def test_a_token_lives_for_its_lifetime_and_no_longer(
    tokens: AccessTokens, good: str, clock: MovingClock
) -> None:
    clock.forward(minutes=59, seconds=59)
    assert await tokens.read(good)
    clock.forward(seconds=1)
    with pytest.raises(InvalidToken):
        await tokens.read(good)


@pytest.mark.parametrize("other", [{"issuer": "else"}, {"audience": "else"}])
async def test_a_token_for_another_audience_or_by_another_issuer_is_refused(
    clock: MovingClock, good: str, other: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken):
        await made(clock, **other).read(good)


async def test_a_token_of_another_key_is_refused(clock: MovingClock, good: str) -> None:
    with pytest.raises(InvalidToken):
        await made(clock, secrets_own(b"another secret, also of 32 bytes or so")).read(good)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_each_algorithm_gives_tokens_that_are_read_and_that_others_can_check(
    clock: MovingClock, algorithm: Algorithm
) -> None:
    key = key_for(algorithm)
    tokens = made(clock, key)
    good = await issued(tokens)
    assert (await tokens.read(good)).user_id == USER
    assert jwt.get_unverified_header(good)["alg"] == algorithm
    jwk = public_jwk(key)
    known: Any = key.private() if jwk is None else jwt.PyJWK(jwk).key
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(good, known, algorithms=[algorithm], audience="arcana", options=options)
    assert claims["sub"] == str(USER)


@pytest.mark.parametrize("name", sorted(Forge.KINDS))
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_forged_token_is_refused(
    clock: MovingClock, algorithm: Algorithm, name: str
) -> None:
    tokens, forge = made(clock, key_for(algorithm)), forge_of(key_for(algorithm))
    good = await issued(tokens)
    assert await tokens.read(forge.resigned(good)), "what the forge only signs again is good"
    with pytest.raises(InvalidToken):
        await tokens.read(forge.make(name, good))


async def test_a_key_of_one_algorithm_never_checks_a_token_of_another(clock: MovingClock) -> None:
    """Each key answers to the others' names."""
    for theirs in ALGORITHMS:
        for ours in set(ALGORITHMS) - {theirs}:
            good = await issued(made(clock, key_for(theirs)))
            key = KINDS[ours].restored(key_for(ours).private(), key_for(theirs).kid)
            with pytest.raises(InvalidToken):
                await made(clock, key).read(good)


async def test_release_0_2_0_reads_our_tokens_and_we_read_its(
    tokens: AccessTokens, good: str, clock: MovingClock
) -> None:
    """What it did, written down here once more: it runs beside this one during an update."""
    kid = derive(SECRET, "jwt key id", 8).hex()
    parts = [base64.urlsafe_b64decode(part + "==") for part in good.split(".")]
    assert json.loads(parts[0]) == {"alg": "HS256", "kid": kid, "typ": "at+jwt"}
    required = ["iss", "aud", "sub", "sid", "jti", "roles", "epoch", "type", "iat", "exp"]
    options: Any = {"require": required, "strict_aud": True}
    options |= {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(
        good,
        SECRET,
        algorithms=["HS256"],
        issuer="arcana",
        audience="arcana",
        options=options,
    )
    header = {"kid": kid, "typ": "at+jwt"}
    theirs = jwt.encode(claims, SECRET, algorithm="HS256", headers=header)
    assert await tokens.read(theirs) == await tokens.read(good)


@pytest.mark.parametrize(
    "claim", ["iss", "aud", "sub", "sid", "jti", "roles", "epoch", "type", "exp"]
)
@pytest.mark.parametrize("value", [None, 1.5, [], {}, [1], "else"])
async def test_a_token_with_a_claim_of_another_form_is_refused(
    tokens: AccessTokens, good: str, claim: str, value: Any
) -> None:
    if (claim, value) in (("roles", []), ("jti", "else")):
        return  # these are good ones
    with pytest.raises(InvalidToken):
        await tokens.read(Forge(SECRET).resigned(good, claims={claim: value}))


async def test_a_token_that_is_too_long_is_refused_unread(tokens: AccessTokens, good: str) -> None:
    long = Forge(SECRET).resigned(good, claims={"more": "x" * TOKEN_MAX})
    with pytest.raises(InvalidToken):
        await tokens.read(long)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "a.b", "é.é.é", "\ud800.a.b", "a.b.c.d.e", " ", "\x00"]
)
async def test_garbage_is_refused(tokens: AccessTokens, text: str) -> None:
    with pytest.raises(InvalidToken):
        await tokens.read(text)


async def test_a_header_nested_too_deep_is_refused(tokens: AccessTokens, good: str) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 2000).decode().rstrip("=")
    with pytest.raises(InvalidToken):
        await tokens.read(".".join([deep, *good.split(".")[1:]]))


@pytest.mark.parametrize(
    "claims",
    [
        {"nbf": 1},
        {"nbf": "1"},
        {"nbf": None},
        {"nbf": True},
        {"nbf": 10**30},
        {"iat": 301},
        {"jti": ""},
    ],
    ids=str,
)
async def test_a_token_that_is_not_good_yet_is_refused(
    tokens: AccessTokens, good: str, clock: MovingClock, claims: dict[str, Any]
) -> None:
    now = int(clock().timestamp())
    later = {k: now + v if type(v) is int and v < 1000 else v for k, v in claims.items()}
    with pytest.raises(InvalidToken):
        await tokens.read(Forge(SECRET).resigned(good, claims=later))


async def test_a_token_of_a_clock_that_is_ahead_is_good(
    tokens: AccessTokens, good: str, clock: MovingClock
) -> None:
    now = int(clock().timestamp())
    await tokens.read(Forge(SECRET).resigned(good, claims={"iat": now + 299, "nbf": now}))


async def test_a_doubled_claim_does_not_help(tokens: AccessTokens, good: str) -> None:
    claims = jwt.decode(good, options={"verify_signature": False})
    doubled = json.dumps(claims)[:-1] + ', "type": "refresh"}'
    with pytest.raises(InvalidToken):
        await tokens.read(Forge(SECRET).signed(jwt.get_unverified_header(good), doubled.encode()))
