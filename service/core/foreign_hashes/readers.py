"""From the parts of a hash's text to its recipe, one reader for each algorithm."""

from collections.abc import Callable
from re import Match

from service.core.foreign_hashes.encodings import (
    bcrypt_digest,
    bcrypt_salt,
    from_base64,
    to_base64,
)
from service.core.foreign_hashes.recipes import (
    Argon2,
    Bcrypt,
    Firebase,
    Pbkdf2,
    Recipe,
    Scrypt,
    Wrapping,
)

Reader = Callable[[Match[str]], Recipe]
"""Raises ValueError for what is damaged or too costly."""
Decode = Callable[[str], bytes]


def argon2(found: Match[str]) -> Argon2:
    """Stored in Django's form, so that it is never taken for one of our own."""
    phc = found["phc"]
    return Argon2(
        stored=f"argon2{phc}",
        phc=phc,
        memory=int(found["m"]),
        passes=int(found["t"]),
        lanes=int(found["p"]),
        salt=from_base64(found["salt"]),
        digest=from_base64(found["digest"]),
    )


def bcrypt(wrapping: Wrapping) -> Reader:
    def read(found: Match[str]) -> Bcrypt:
        salt, digest = bcrypt_salt(found["salt"]), bcrypt_digest(found["digest"])
        before, between = found.string[: found.start("salt")], found["between"]
        return Bcrypt(before + salt + between + digest, int(found["cost"]), salt, digest, wrapping)

    return read


def scrypt(cost: Callable[[str], int], *, salt: Decode, digest: Decode) -> Reader:
    """``cost`` makes N of the text that stands for it."""

    def read(found: Match[str]) -> Scrypt:
        return Scrypt(
            stored=found.string,
            n=cost(found["n"]),
            r=int(found["r"]),
            p=int(found["p"]),
            salt=salt(found["salt"]),
            digest=digest(found["digest"]),
        )

    return read


def pbkdf2(*, salt: Decode, digest: Decode) -> Reader:
    def read(found: Match[str]) -> Pbkdf2:
        return Pbkdf2(
            stored=found.string,
            function=found["function"] or "sha1",  # passlib's form that names none
            rounds=int(found["rounds"]),
            salt=salt(found["salt"]),
            digest=digest(found["digest"]),
        )

    return read


def firebase(found: Match[str]) -> Firebase:
    """Stored without the signer key, and in standard base 64 whichever came."""
    salt, separator = from_base64(found["salt"]), from_base64(found["separator"])
    stream = from_base64(found["digest"])
    if found["signer"] is not None:
        stream = _without(stream, from_base64(found["signer"]))
    options = f"ln={found['n']},r={found['r']},sep={to_base64(separator)}"
    return Firebase(
        stored=f"$firebase-scrypt${options}${to_base64(salt)}${to_base64(stream)}",
        n=power_of_two(found["n"]),
        r=int(found["r"]),
        salt=salt + separator,
        stream=stream,
    )


def power_of_two(exponent: str) -> int:
    return 1 << min(int(exponent), 64)  # which is out of bounds already


def _without(encrypted: bytes, key: bytes) -> bytes:
    """Raises: ValueError."""
    if len(encrypted) != len(key):
        raise ValueError("A Firebase hash must be as long as its project's signer key.")
    return bytes(one ^ other for one, other in zip(encrypted, key, strict=True))
