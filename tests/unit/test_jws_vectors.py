"""All 401 JWS vectors of Wycheproof, and RFC 8037's, through our layer, each with its own key.

Four of the file's verdicts can't be followed, and the tests below prove why: 367 and 370 are, byte
for byte and with the same key, the vector 357, which the file calls valid; 372 and 373 have a "?"
where base64url has no such letter (RFC 7515 §2), and the file calls them valid.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.keys.algorithms import Ed25519Key
from service.keys.encoding import Unfit, decoded, encoded
from service.keys.jwk import public_jwk, read_jwk
from service.keys.jws import parse

FILE = Path(__file__).parents[1] / "data/vectors/json_web_signature_test.json"
ON_OFFER = {"oct": "HS256", "EC": "ES256", "RSA": "RS256"}
THE_SAME_AS_357 = {367, 370}
A_STRAY_LETTER = {372, 373}


@dataclass(frozen=True)
class Vector:
    """One vector with the key that a verifier would hold."""

    number: int
    comment: str
    jwk: dict[str, Any]
    jws: str
    result: str

    def __str__(self) -> str:
        return f"{self.number}-{self.comment}"

    @property
    def algorithm(self) -> str:
        """What the key is for; where it does not say, what its kind is on offer for."""
        return str(self.jwk.get("alg", ON_OFFER[self.jwk["kty"]]))

    @property
    def is_on_offer(self) -> bool:
        return self.algorithm in ON_OFFER.values()

    @property
    def expected(self) -> str:
        if self.number in THE_SAME_AS_357:
            return "valid"
        is_refused = self.number in A_STRAY_LETTER or not self.is_on_offer
        return "invalid" if is_refused else self.result

    def verdict(self) -> str:
        try:
            parse(self.jws).check(read_jwk(self.jwk))
        except Unfit:
            return "invalid"
        return "valid"


def vectors() -> Iterator[Vector]:
    for group in json.loads(FILE.read_text())["testGroups"]:
        jwk = group.get("public") or group["private"]
        for test in group["tests"]:
            yield Vector(test["tcId"], test["comment"], jwk, test["jws"], test["result"])


VECTORS = {vector.number: vector for vector in vectors()}


@pytest.mark.parametrize("vector", VECTORS.values(), ids=str)
def test_each_vector_is_judged_as_the_file_says(vector: Vector) -> None:
    assert vector.verdict() == vector.expected


def test_the_table_of_what_was_run() -> None:
    """Algorithm of the key: taken, refused, and refused though valid, for it is not on offer."""
    table: dict[str, Counter[str]] = {}
    for vector in VECTORS.values():
        row = table.setdefault(vector.algorithm, Counter())
        row["taken" if vector.verdict() == "valid" else "refused"] += 1
        row["valid by the file"] += vector.result == "valid"
    for algorithm, row in sorted(table.items()):
        print(f"{algorithm:<8}{dict(row)}")  # noqa: T201  # for pytest -rP
    taken = {algorithm: (row["taken"], row["refused"]) for algorithm, row in table.items()}
    assert taken == {
        "HS256": (10, 30),
        "ES256": (2, 39),
        "RS256": (8, 227),
        "RS384": (0, 4),
        "RS512": (0, 4),
        "PS256": (0, 50),
        "PS384": (0, 5),
        "PS512": (0, 20),
        "ES521": (0, 2),
    }
    assert sum(map(sum, taken.values())) == len(VECTORS) == 401


def test_no_vector_is_merely_acceptable() -> None:
    assert {vector.result for vector in VECTORS.values()} == {"valid", "invalid"}


@pytest.mark.parametrize("number", sorted(THE_SAME_AS_357))
def test_two_that_the_file_calls_invalid_are_one_that_it_calls_valid(number: int) -> None:
    same, vector = VECTORS[357], VECTORS[number]
    assert (vector.jws, vector.jwk) == (same.jws, same.jwk)
    assert (vector.result, same.result) == ("invalid", "valid")


@pytest.mark.parametrize("number", sorted(A_STRAY_LETTER))
def test_two_that_the_file_calls_valid_are_no_base64url(number: int) -> None:
    vector = VECTORS[number]
    assert vector.result == "valid"
    assert "?" in vector.jws
    assert vector.jws.replace("?", "") == VECTORS[357].jws


# RFC 8037, appendix A

PRIVATE = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
PUBLIC = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
SIGNED = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PG"
    "cvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def of_rfc_8037() -> Ed25519Key:
    return Ed25519Key(Ed25519PrivateKey.from_private_bytes(decoded(PRIVATE)))


def test_a_2_the_private_key_has_the_public_one() -> None:
    assert of_rfc_8037().members == PUBLIC


def test_a_3_the_thumbprint_is_its_name() -> None:
    assert of_rfc_8037().kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert read_jwk(PUBLIC).kid == of_rfc_8037().kid


def test_a_4_signing_gives_the_same_signature() -> None:
    message = SIGNED.rpartition(".")[0].encode()
    assert encoded(of_rfc_8037().sign(message)) == SIGNED.rpartition(".")[2]


def test_a_5_the_signature_is_checked() -> None:
    assert parse(SIGNED).check(read_jwk(PUBLIC)) == b"Example of Ed25519 signing"


def test_a_5_no_bit_of_it_may_be_another() -> None:
    key = read_jwk(PUBLIC)
    for part in range(3):
        parts = SIGNED.split(".")
        raw = decoded(parts[part])
        for place in range(len(raw)):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            parts[part] = encoded(changed)
            with pytest.raises(Unfit):
                parse(".".join(parts)).check(key)


def test_the_published_form_is_read_back() -> None:
    jwk = public_jwk(of_rfc_8037())
    assert jwk is not None
    assert (jwk["use"], jwk["key_ops"], jwk["alg"]) == ("sig", ["verify"], "EdDSA")
    assert parse(SIGNED).check(read_jwk(jwk))
