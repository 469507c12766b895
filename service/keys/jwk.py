"""Keys as JSON (RFC 7517): what we publish, and how strictly one is read."""

import json
from typing import Any

from service.keys.algorithms import KINDS, Algorithm, Key
from service.keys.encoding import Unfit

_ALGORITHM_OF: dict[tuple[Any, Any], Algorithm] = {
    ("oct", None): "HS256",
    ("OKP", "Ed25519"): "EdDSA",
    ("EC", "P-256"): "ES256",
    ("RSA", None): "RS256",
}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth"}


def read_jwk(jwk: dict[str, Any]) -> Key:
    """The key to check signatures with that a JWK is.

    Raises:
        Unfit: it is for something else by its ``use``, ``key_ops`` or ``alg``, of an algorithm that
            is not on offer, weak, malformed, or holds the private part of a pair.
    """
    algorithm = _ALGORITHM_OF.get((jwk.get("kty"), jwk.get("crv")))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise Unfit("a key of an algorithm that is not on offer")
    if jwk.get("use", "sig") != "sig" or not _may_verify(jwk.get("key_ops", ["verify"])):
        raise Unfit("the key is not for checking signatures")
    if _PRIVATE & jwk.keys():
        raise Unfit("a private key is nothing to check signatures with")
    kid = jwk.get("kid", "")
    if not isinstance(kid, str):
        raise Unfit("the key's kid is no text")
    return KINDS[algorithm].imported(jwk, kid)


def _may_verify(operations: object) -> bool:
    """No operation may stand there twice (RFC 7517 §4.3)."""
    if not isinstance(operations, list) or not all(isinstance(each, str) for each in operations):
        return False
    return "verify" in operations and len(set(operations)) == len(operations)


def public_jwk(key: Key) -> dict[str, Any] | None:
    """The key for anybody who checks our tokens; a symmetric one is for nobody."""
    if not key.members:
        return None
    return {
        "alg": key.algorithm,
        "key_ops": ["verify"],
        "kid": key.kid,
        "use": "sig",
        **key.members,
    }


def written(jwk: dict[str, Any]) -> str:
    return json.dumps(jwk, separators=(",", ":"), sort_keys=True)
