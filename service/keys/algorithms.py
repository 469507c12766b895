"""Keys for HS256, EdDSA, ES256 and RS256: each is pinned to the one algorithm it is for."""

import hashlib
import hmac
import os
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from service.keys.encoding import Unfit, decoded, encoded

Algorithm = Literal["HS256", "EdDSA", "ES256", "RS256"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

HMAC_MIN = 32
"""Bytes that a key for HS256 has at least (RFC 7518 §3.2)."""
RSA_MIN, RSA_MAX = 2048, 8192
"""Bits of a modulus: at least (RFC 7518 §3.3), as ours have; at most, so that checks stay cheap."""
EXPONENT_MIN = 65_537
"""FIPS 186-5 §A.1.1."""
T = TypeVar("T")
_Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_HALF = 32
"""Bytes of r, and of s, of a signature over P-256 (RFC 7518 §3.4)."""


class Key(ABC):
    """A key for one algorithm, whatever a token says. A public one only verifies.

    ``members`` are those of its public JWK that RFC 7638 counts; a symmetric key has none.
    """

    algorithm: ClassVar[Algorithm]

    def __init__(self, kid: str = "") -> None:
        self.kid = kid or thumbprint(self.members)

    @property
    @abstractmethod
    def members(self) -> dict[str, str]: ...

    @abstractmethod
    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the key made ``signature`` of ``message``."""

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """Raises: Unfit, when it is a public key."""

    @abstractmethod
    def private(self) -> bytes:
        """What the whole key can be made of again.

        Raises:
            Unfit: it is a public key.
        """

    @classmethod
    @abstractmethod
    def new(cls) -> Self: ...

    @classmethod
    @abstractmethod
    def restored(cls, private: bytes, kid: str) -> Self:
        """The key that ``private`` was of."""

    @classmethod
    @abstractmethod
    def imported(cls, jwk: dict[str, Any], kid: str) -> Self:
        """The key of a JWK whose ``kty`` and ``crv`` are this algorithm's.

        Raises:
            Unfit: it is malformed or weak.
        """

    def __repr__(self) -> str:
        return f"<{self.algorithm} key {self.kid}>"


class HmacKey(Key):
    """HS256 (RFC 7518 §3.2)."""

    algorithm = "HS256"

    def __init__(self, secret: bytes, kid: str) -> None:
        if len(secret) < HMAC_MIN:
            raise Unfit(f"a key for HS256 has at least {HMAC_MIN} bytes")
        self._secret = secret
        super().__init__(kid)

    @property
    def members(self) -> dict[str, str]:
        return {}

    def verifies(self, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(signature, self.sign(message))

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self._secret, message, hashlib.sha256)

    def private(self) -> bytes:
        return self._secret

    @classmethod
    def new(cls) -> Self:
        return cls(os.urandom(32), os.urandom(16).hex())

    @classmethod
    def restored(cls, private: bytes, kid: str) -> Self:
        return cls(private, kid)

    @classmethod
    def imported(cls, jwk: dict[str, Any], kid: str) -> Self:
        return cls(_bytes(jwk, "k"), kid or "-")


class Ed25519Key(Key):
    """EdDSA over Ed25519 (RFC 8037 §3.1)."""

    algorithm = "EdDSA"

    def __init__(
        self, key: ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey, kid: str = ""
    ) -> None:
        self._private = key if isinstance(key, ed25519.Ed25519PrivateKey) else None
        self._public = key if isinstance(key, ed25519.Ed25519PublicKey) else key.public_key()
        super().__init__(kid)

    @property
    def members(self) -> dict[str, str]:
        return {"crv": "Ed25519", "kty": "OKP", "x": encoded(self._public.public_bytes_raw())}

    def verifies(self, message: bytes, signature: bytes) -> bool:
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def sign(self, message: bytes) -> bytes:
        return _whole(self._private).sign(message)

    def private(self) -> bytes:
        return _der(_whole(self._private))

    @classmethod
    def new(cls) -> Self:
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def restored(cls, private: bytes, kid: str) -> Self:
        return cls(_of_kind(private, ed25519.Ed25519PrivateKey), kid)  # type: ignore[type-abstract]  # for isinstance

    @classmethod
    def imported(cls, jwk: dict[str, Any], kid: str) -> Self:
        return cls(ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x", 32)), kid)


class EcKey(Key):
    """ES256: ECDSA over P-256, its signatures r and s side by side (RFC 7518 §3.4)."""

    algorithm = "ES256"

    def __init__(
        self, key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey, kid: str = ""
    ) -> None:
        self._private = key if isinstance(key, ec.EllipticCurvePrivateKey) else None
        self._public = key if isinstance(key, ec.EllipticCurvePublicKey) else key.public_key()
        if not isinstance(self._public.curve, ec.SECP256R1):
            raise Unfit("a key for ES256 lies on P-256")
        super().__init__(kid)

    @property
    def members(self) -> dict[str, str]:
        point = self._public.public_numbers()
        x, y = (encoded(part.to_bytes(_HALF, "big")) for part in (point.x, point.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    def verifies(self, message: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * _HALF:
            return False
        r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
        try:
            self._public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def sign(self, message: bytes) -> bytes:
        made = _whole(self._private).sign(message, ec.ECDSA(hashes.SHA256()))
        return b"".join(part.to_bytes(_HALF, "big") for part in decode_dss_signature(made))

    def private(self) -> bytes:
        return _der(_whole(self._private))

    @classmethod
    def new(cls) -> Self:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def restored(cls, private: bytes, kid: str) -> Self:
        return cls(_of_kind(private, ec.EllipticCurvePrivateKey), kid)  # type: ignore[type-abstract]  # for isinstance

    @classmethod
    def imported(cls, jwk: dict[str, Any], kid: str) -> Self:
        x, y = (int.from_bytes(_bytes(jwk, name, _HALF), "big") for name in ("x", "y"))
        try:
            return cls(ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key(), kid)
        except ValueError:
            raise Unfit("the point does not lie on the curve") from None


class RsaKey(Key):
    """RS256: RSASSA-PKCS1-v1_5 (RFC 7518 §3.3)."""

    algorithm = "RS256"

    def __init__(self, key: rsa.RSAPrivateKey | rsa.RSAPublicKey, kid: str = "") -> None:
        self._private = key if isinstance(key, rsa.RSAPrivateKey) else None
        self._public = key if isinstance(key, rsa.RSAPublicKey) else key.public_key()
        if not RSA_MIN <= self._public.key_size <= RSA_MAX:
            raise Unfit(f"a key for RS256 has {RSA_MIN} to {RSA_MAX} bits")
        if self._public.public_numbers().e < EXPONENT_MIN:
            raise Unfit(f"the exponent of a key for RS256 is {EXPONENT_MIN} at least")
        super().__init__(kid)

    @property
    def members(self) -> dict[str, str]:
        numbers = self._public.public_numbers()
        return {"e": _of_number(numbers.e), "kty": "RSA", "n": _of_number(numbers.n)}

    def verifies(self, message: bytes, signature: bytes) -> bool:
        if len(signature) != (self._public.key_size + 7) // 8:
            return False
        try:
            self._public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def sign(self, message: bytes) -> bytes:
        return _whole(self._private).sign(message, padding.PKCS1v15(), hashes.SHA256())

    def private(self) -> bytes:
        return _der(_whole(self._private))

    @classmethod
    def new(cls) -> Self:
        return cls(rsa.generate_private_key(EXPONENT_MIN, RSA_MIN))

    @classmethod
    def restored(cls, private: bytes, kid: str) -> Self:
        return cls(_of_kind(private, rsa.RSAPrivateKey), kid)  # type: ignore[type-abstract]  # for isinstance

    @classmethod
    def imported(cls, jwk: dict[str, Any], kid: str) -> Self:
        try:
            return cls(rsa.RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n")).public_key(), kid)
        except Unfit:
            raise
        except ValueError:
            raise Unfit("not the numbers of an RSA key") from None


KINDS: dict[Algorithm, type[Key]] = {
    "HS256": HmacKey,
    "EdDSA": Ed25519Key,
    "ES256": EcKey,
    "RS256": RsaKey,
}


def thumbprint(members: dict[str, str]) -> str:
    """The name that a public key gives itself: SHA-256 over its members in order (RFC 7638)."""
    text = ",".join(f'"{name}":"{value}"' for name, value in sorted(members.items()))
    return encoded(hashlib.sha256(f"{{{text}}}".encode()).digest())


def _whole(private: T | None) -> T:
    """Raises: Unfit, when there is no private part."""
    if private is None:
        raise Unfit("a public key makes no signatures")
    return private


def _der(private: _Private) -> bytes:
    return private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _of_kind(der: bytes, kind: type[T]) -> T:
    """Raises: Unfit, when the key is one for another algorithm."""
    key = serialization.load_der_private_key(der, password=None)
    if not isinstance(key, kind):
        raise Unfit("the private part is of another algorithm")
    return key


def _bytes(jwk: dict[str, Any], name: str, length: int | None = None) -> bytes:
    """A member of a JWK that holds bytes, ``length`` of them when that is given.

    Raises:
        Unfit: it is not there, or is no such text.
    """
    text = jwk.get(name)
    if not isinstance(text, str):
        raise Unfit(f"the member {name} is missing")
    raw = decoded(text)
    if length is not None and len(raw) != length:
        raise Unfit(f"the member {name} has not {length} bytes")
    return raw


def _number(jwk: dict[str, Any], name: str) -> int:
    """Raises: Unfit, when it begins with a zero, too (RFC 7518 §2, Base64urlUInt)."""
    raw = _bytes(jwk, name)
    if not raw or raw[0] == 0:
        raise Unfit(f"the member {name} is not in its shortest form")
    return int.from_bytes(raw, "big")


def _of_number(number: int) -> str:
    return encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))
