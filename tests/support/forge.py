"""Tokens as an attacker makes them, by PyJWT and by hand: none of our own code."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)
from jwt.algorithms import get_default_algorithms


class Forge:
    """Turns a good access token into bad ones; ``KINDS`` names the ways.

    It knows the real key, so that what it signs differs from a good token in one point only:
    ``private`` is the secret of HS256, or a pair's private part as PKCS #8.
    """

    def __init__(self, private: bytes, algorithm: str = "HS256") -> None:
        self._algorithm = algorithm
        self._key: Any = private if algorithm == "HS256" else load_der_private_key(private, None)

    def make(self, kind: str, good: str) -> str:
        return self.KINDS[kind](self, good)

    def resigned(
        self,
        good: str,
        *,
        claims: dict[str, Any] | None = None,
        header: dict[str, Any] | None = None,
    ) -> str:
        """The token with claims or header changed, and signed with the real key."""
        body = jwt.decode(good, options={"verify_signature": False}) | (claims or {})
        head = jwt.get_unverified_header(good) | (header or {})
        return self.signed(head, json.dumps(body).encode())

    def without(self, good: str, claim: str) -> str:
        """The token without a claim, and signed with the real key."""
        body = jwt.decode(good, options={"verify_signature": False})
        del body[claim]
        return self.signed(jwt.get_unverified_header(good), json.dumps(body).encode())

    def signed(self, header: dict[str, Any] | bytes, body: bytes, *, key: Any = None) -> str:
        """``body`` under any ``header``, with the real key or another of its kind."""
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        head = f"{_b64(raw)}.{_b64(body)}"
        method = get_default_algorithms()[self._algorithm]
        return f"{head}.{_b64(method.sign(head.encode(), key or self._key))}"

    def _unsigned(self, good: str, alg: str) -> str:
        header = jwt.get_unverified_header(good) | {"alg": alg}
        return f"{_b64(json.dumps(header).encode())}.{good.split('.')[1]}."

    def _half(self, good: str) -> str:
        head, body, seal = good.split(".")
        return f"{head}.{body}.{seal[: len(seal) // 2]}"

    def _other_body(self, good: str) -> str:
        head, _, seal = good.split(".")
        body = jwt.decode(good, options={"verify_signature": False}) | {"roles": ["admin"]}
        return f"{head}.{_b64(json.dumps(body).encode())}.{seal}"

    def _stray_bits(self, good: str) -> str:
        """The last character changed in the bits that decoding drops: the same bytes again."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return good[:-1] + alphabet[alphabet.index(good[-1]) ^ 1]

    def _json_form(self, good: str) -> str:
        head, body, seal = good.split(".")
        return json.dumps({"protected": head, "payload": body, "signature": seal})

    def _other_key(self, good: str) -> str:
        body = jwt.decode(good, options={"verify_signature": False})
        header = jwt.get_unverified_header(good)
        return self.signed(header, json.dumps(body).encode(), key=self._stranger())

    def _own_jwk(self, good: str) -> str:
        """Signed by a key that the header brings along."""
        stranger = self._stranger()
        is_pair = self._algorithm != "HS256"
        shown = stranger.public_key() if is_pair else stranger
        jwk = get_default_algorithms()[self._algorithm].to_jwk(shown, as_dict=True)
        header = jwt.get_unverified_header(good) | {"jwk": jwk}
        body = jwt.decode(good, options={"verify_signature": False})
        return self.signed(header, json.dumps(body).encode(), key=stranger)

    def _stranger(self) -> Any:
        """Another key of the same kind."""
        if self._algorithm == "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        if self._algorithm == "RS256":
            return rsa.generate_private_key(65537, 2048)
        is_hmac = self._algorithm == "HS256"
        return b"guessed" * 8 if is_hmac else ed25519.Ed25519PrivateKey.generate()

    def _other_digest(self, good: str) -> str:
        """The real key used with another algorithm that it would do for."""
        other = {"HS256": "HS512", "ES256": "ES384", "RS256": "RS512", "EdDSA": "Ed25519"}
        header = jwt.get_unverified_header(good) | {"alg": other[self._algorithm]}
        head = f"{_b64(json.dumps(header).encode())}.{good.split('.')[1]}"
        known = {"HS256": "HS512", "RS256": "RS512"}.get(self._algorithm, self._algorithm)
        return f"{head}.{_b64(get_default_algorithms()[known].sign(head.encode(), self._key))}"

    def _confused(self, good: str) -> str:
        """HS256, with what everybody knows of the pair as its secret (RFC 8725 §2.1)."""
        header = jwt.get_unverified_header(good) | {"alg": "HS256"}
        head = f"{_b64(json.dumps(header).encode())}.{good.split('.')[1]}"
        known = b"what everybody knows"
        if self._algorithm != "HS256":
            known = self._key.public_key().public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            )
        return f"{head}.{_b64(hmac.digest(known, head.encode(), hashlib.sha256))}"

    def _doubled(self, good: str, part: int, more: str) -> str:
        """The header (0) or the claims (1) with a name in it twice, and signed."""
        parts = [_unb64(each) for each in good.split(".")[:2]]
        parts[part] = parts[part][:-1] + f",{more}}}".encode()
        return self.signed(*parts)

    KINDS: ClassVar[dict[str, Callable[["Forge", str], str]]] = {
        "alg none": lambda self, good: self._unsigned(good, "none"),
        "alg None": lambda self, good: self._unsigned(good, "None"),
        "alg none, old seal": lambda self, good: self._unsigned(good, "none") + good.split(".")[2],
        "alg as a list": lambda self, good: self.resigned(good, header={"alg": [self._algorithm]}),
        "no seal": lambda self, good: good.rpartition(".")[0] + ".",
        "half a seal": lambda self, good: self._half(good),
        "another body": lambda self, good: self._other_body(good),
        "another key": lambda self, good: self._other_key(good),
        "another digest": lambda self, good: self._other_digest(good),
        "a public key as secret": lambda self, good: self._confused(good),
        "no exp": lambda self, good: self.without(good, "exp"),
        "no sub": lambda self, good: self.without(good, "sub"),
        "no sid": lambda self, good: self.without(good, "sid"),
        "no jti": lambda self, good: self.without(good, "jti"),
        "no type": lambda self, good: self.without(good, "type"),
        "no aud": lambda self, good: self.without(good, "aud"),
        "no iss": lambda self, good: self.without(good, "iss"),
        "type refresh": lambda self, good: self.resigned(good, claims={"type": "refresh"}),
        "another issuer": lambda self, good: self.resigned(good, claims={"iss": "else"}),
        "another audience": lambda self, good: self.resigned(good, claims={"aud": "else"}),
        "many audiences": lambda self, good: self.resigned(good, claims={"aud": ["arcana", "x"]}),
        "exp long ago": lambda self, good: self.resigned(good, claims={"exp": 1}),
        "exp as text": lambda self, good: self.resigned(good, claims={"exp": "9999999999"}),
        "exp true": lambda self, good: self.resigned(good, claims={"exp": True}),
        "exp beyond all time": lambda self, good: self.resigned(good, claims={"exp": 10**400}),
        "exp a fraction": lambda self, good: self.resigned(good, claims={"exp": 9999999999.5}),
        "exp infinite": lambda self, good: self.resigned(good, claims={"exp": float("inf")}),
        "typ JWT": lambda self, good: self.resigned(good, header={"typ": "JWT"}),
        "another kid": lambda self, good: self.resigned(good, header={"kid": "../../dev/null"}),
        "a kid of nobody": lambda self, good: self.resigned(good, header={"kid": "0" * 16}),
        "kid as a list": lambda self, good: self.resigned(good, header={"kid": ["x"]}),
        "a jku": lambda self, good: self.resigned(good, header={"jku": "http://127.0.0.1/k"}),
        "an x5u": lambda self, good: self.resigned(good, header={"x5u": "http://127.0.0.1/c"}),
        "an x5c": lambda self, good: self.resigned(good, header={"x5c": ["MII="]}),
        "its own jwk": lambda self, good: self._own_jwk(good),
        "crit": lambda self, good: self.resigned(good, header={"crit": ["x"], "x": 1}),
        "an empty crit": lambda self, good: self.resigned(good, header={"crit": []}),
        "b64 false": lambda self, good: self.resigned(good, header={"b64": False}),
        "more in the header": lambda self, good: self.resigned(good, header={"cty": "x"}),
        "alg twice": lambda self, good: self._doubled(good, 0, f'"alg":"{self._algorithm}"'),
        "type twice": lambda self, good: self._doubled(good, 1, '"type":"access"'),
        "padding": lambda self, good: good + "=",
        "stray bits": lambda self, good: self._stray_bits(good),
        "four parts": lambda self, good: good + ".x",
        "json form": lambda self, good: self._json_form(good),
        "a blank inside": lambda self, good: good.replace(".", ". ", 1),
        "a newline after": lambda self, good: good + "\n",
    }


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
