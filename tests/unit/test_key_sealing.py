"""Private parts are sealed to their name and algorithm, and to each secret that may open them."""

import json

import pytest

from service.core.keys import Secrets, derive
from service.keys.encoding import Unfit, decoded, encoded
from service.keys.sealing import Safe

OLD, NEW = b"the old secret, of 32 bytes at least", b"the new secret, of 32 bytes at least"
PRIVATE = b"a private part"


def test_what_was_sealed_is_opened_and_nothing_of_it_shows() -> None:
    safe = Safe(Secrets(OLD))
    sealed = safe.seal("k", "HS256", PRIVATE)
    assert safe.open("k", "HS256", sealed) == PRIVATE
    assert b"private" not in b"".join(map(decoded, json.loads(sealed).values()))
    assert sealed != safe.seal("k", "HS256", PRIVATE), "each time under a nonce of its own"


@pytest.mark.parametrize(("kid", "algorithm"), [("j", "HS256"), ("k", "EdDSA")])
def test_it_opens_for_no_other_name_and_no_other_algorithm(kid: str, algorithm: str) -> None:
    safe = Safe(Secrets(OLD))
    with pytest.raises(Unfit):
        safe.open(kid, algorithm, safe.seal("k", "HS256", PRIVATE))


def test_no_bit_of_it_may_be_another() -> None:
    safe = Safe(Secrets(OLD))
    ((name, seal),) = json.loads(safe.seal("k", "HS256", PRIVATE)).items()
    raw = decoded(seal)
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(Unfit):
            safe.open("k", "HS256", json.dumps({name: encoded(changed)}))


def test_a_stranger_opens_nothing() -> None:
    with pytest.raises(Unfit):
        Safe(Secrets(NEW)).open("k", "HS256", Safe(Secrets(OLD)).seal("k", "HS256", PRIVATE))


def test_with_both_secrets_it_is_sealed_for_whoever_has_one() -> None:
    sealed = Safe(Secrets(NEW, (OLD,))).seal("k", "HS256", PRIVATE)
    for secrets in (Secrets(OLD), Secrets(NEW), Secrets(OLD, (NEW,))):
        assert Safe(secrets).open("k", "HS256", sealed) == PRIVATE


def test_a_missing_seal_is_added_by_who_can() -> None:
    sealed = Safe(Secrets(OLD)).seal("k", "HS256", PRIVATE)
    assert Safe(Secrets(OLD)).completed("k", "HS256", sealed) is None
    assert Safe(Secrets(NEW)).completed("k", "HS256", sealed) is None
    completed = Safe(Secrets(NEW, (OLD,))).completed("k", "HS256", sealed)
    assert completed is not None
    assert Safe(Secrets(NEW)).open("k", "HS256", completed) == PRIVATE
    assert Safe(Secrets(OLD)).open("k", "HS256", completed) == PRIVATE


def test_each_use_has_keys_of_its_own_from_each_secret() -> None:
    secrets = Secrets(NEW, (OLD,))
    assert secrets.derive("cursor") == (derive(NEW, "cursor"), derive(OLD, "cursor"))
    assert "secret" not in repr(secrets)
