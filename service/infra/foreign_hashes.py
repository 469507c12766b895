"""Comparing passwords with the hashes of other systems. Slow: for the hasher's threads only."""

import hashlib
import hmac
import unicodedata
from base64 import b64encode

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from service.core.foreign_hashes import (
    Argon2,
    Bcrypt,
    Firebase,
    Pbkdf2,
    Recipe,
    Scrypt,
    Wrapping,
)

_BCRYPT_BYTES = 72
"""What bcrypt takes of a password. The systems that made these hashes left out the rest."""
_ARGON2 = PasswordHasher()


def matches(recipe: Recipe, password: str) -> bool:
    """Whether ``password`` is the one that was hashed, in its normal form or just as typed.

    Ours are normalised to NFC before they are hashed, but most systems hash what they get.
    """
    return any(_fits(recipe, spelling) for spelling in _spellings(password))


def _spellings(password: str) -> list[bytes]:
    """One nearly always: keyboards give NFC."""
    normal = unicodedata.normalize("NFC", password)
    return [text.encode("utf-8", "surrogatepass") for text in dict.fromkeys([normal, password])]


def _fits(recipe: Recipe, secret: bytes) -> bool:
    match recipe:
        case Argon2():
            return _argon2_fits(recipe, secret)
        case Bcrypt():
            return hmac.compare_digest(_bcrypt(recipe, secret), recipe.digest.encode())
        case Scrypt():
            key = _scrypt(recipe, secret, p=recipe.p, length=len(recipe.digest))
            return hmac.compare_digest(key, recipe.digest)
        case Pbkdf2():
            key = hashlib.pbkdf2_hmac(recipe.function, secret, recipe.salt, recipe.rounds)
            return hmac.compare_digest(key, recipe.digest)
        case Firebase():
            return hmac.compare_digest(_key_stream(recipe, secret), recipe.stream)


def _argon2_fits(recipe: Argon2, secret: bytes) -> bool:
    try:
        return _ARGON2.verify(recipe.phc, secret)
    except VerifyMismatchError:
        return False


def _bcrypt(recipe: Bcrypt, secret: bytes) -> bytes:
    """The 31 characters of the digest. ``2a``, ``2b`` and ``2y`` name one algorithm."""
    setting = f"$2b${recipe.cost:02}${recipe.salt}".encode()
    return bcrypt.hashpw(_wrapped(recipe, secret)[:_BCRYPT_BYTES], setting)[len(setting) :]


def _wrapped(recipe: Bcrypt, secret: bytes) -> bytes:
    match recipe.wrapping:
        case Wrapping.NONE:
            return secret
        case Wrapping.SHA256_HEX:
            return hashlib.sha256(secret).hexdigest().encode()
        case Wrapping.SHA256_BASE64:
            return b64encode(hashlib.sha256(secret).digest())
        case Wrapping.HMAC_BASE64:
            return b64encode(hmac.digest(recipe.salt.encode(), secret, "sha256"))


def _scrypt(recipe: Scrypt | Firebase, secret: bytes, *, p: int, length: int) -> bytes:
    return hashlib.scrypt(
        secret,
        salt=recipe.salt,
        n=recipe.n,
        r=recipe.r,
        p=p,
        maxmem=128 * recipe.r * (recipe.n + p + 2),  # what OpenSSL counts
        dklen=length,
    )


def _key_stream(recipe: Firebase, secret: bytes) -> bytes:
    key = _scrypt(recipe, secret, p=1, length=32)
    encryptor = Cipher(AES256(key), CTR(bytes(16))).encryptor()
    return encryptor.update(bytes(len(recipe.stream)))
