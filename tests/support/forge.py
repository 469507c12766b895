"""Tokens as an attacker makes them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, ClassVar

import jwt


class Forge:
    """Turns a good access token into bad ones; ``KINDS`` names the ways.

    It knows the real key, so that what it signs differs from a good token in one point only.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

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

    def signed(
        self, header: dict[str, Any], body: bytes, *, key: bytes | None = None, name: str = "sha256"
    ) -> str:
        head = f"{_b64(json.dumps(header).encode())}.{_b64(body)}"
        seal = hmac.digest(key or self._secret, head.encode(), getattr(hashlib, name))
        return f"{head}.{_b64(seal)}"

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
        return self.signed(header, json.dumps(body).encode(), key=b"guessed" * 8)

    def _other_digest(self, good: str) -> str:
        body = jwt.decode(good, options={"verify_signature": False})
        header = jwt.get_unverified_header(good) | {"alg": "HS512"}
        return self.signed(header, json.dumps(body).encode(), name="sha512")

    KINDS: ClassVar[dict[str, Callable[["Forge", str], str]]] = {
        "alg none": lambda self, good: self._unsigned(good, "none"),
        "alg None": lambda self, good: self._unsigned(good, "None"),
        "alg none, old seal": lambda self, good: self._unsigned(good, "none") + good.split(".")[2],
        "no seal": lambda self, good: good.rpartition(".")[0] + ".",
        "half a seal": lambda self, good: self._half(good),
        "another body": lambda self, good: self._other_body(good),
        "another key": lambda self, good: self._other_key(good),
        "another digest": lambda self, good: self._other_digest(good),
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
        "typ JWT": lambda self, good: self.resigned(good, header={"typ": "JWT"}),
        "another kid": lambda self, good: self.resigned(good, header={"kid": "../../dev/null"}),
        "a jku": lambda self, good: self.resigned(good, header={"jku": "http://127.0.0.1/k"}),
        "crit": lambda self, good: self.resigned(good, header={"crit": ["x"], "x": 1}),
        "b64 false": lambda self, good: self.resigned(good, header={"b64": False}),
        "padding": lambda self, good: good + "=",
        "stray bits": lambda self, good: self._stray_bits(good),
        "four parts": lambda self, good: good + ".x",
        "json form": lambda self, good: self._json_form(good),
        "a blank inside": lambda self, good: good.replace(".", ". ", 1),
        "a newline after": lambda self, good: good + "\n",
    }


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
