"""What has to be computed to compare a password with a hash, and how much of it is too much.

The most that each bound lets through was measured on one core of 2026: argon2 2 s, scrypt 3 s,
PBKDF2 3 s (with SHA-512), bcrypt 4 s (cost 16; each step less halves it). A worker hashes two
passwords at once, so 256 MiB each are half a GiB. Common defaults stay below: Django's
argon2 takes 100 MiB, libsodium's "moderate" takes 256 MiB and 3 passes. What is cheaper
than we would choose is taken: it is made anew at the next log-in.
"""

from dataclasses import dataclass
from enum import Enum, auto

MIB = 1024 * 1024
MEMORY_MAX = 256 * MIB
"""Bytes that one comparison may hold."""
ARGON2_WORK_MAX = 2048 * MIB
"""Bytes that argon2 may fill: memory × passes."""
ARGON2_LANES_MAX = 16
SCRYPT_WORK_MAX = 1024 * MIB
"""Bytes that scrypt may fill: 128 × N × r × p (RFC 7914 §2)."""
SCRYPT_FACTOR_MAX = 64
"""For each of r and p."""
PBKDF2_ROUNDS_MAX = 5_000_000
BCRYPT_COST_MIN, BCRYPT_COST_MAX = 4, 16
SALT_MIN, SALT_MAX = 4, 64
"""Bytes. No system in use makes shorter salts: one that short was cut off."""
DIGEST_SIZES = (16, 24, 32, 48, 64)
"""Bytes, where the algorithm leaves the length free: other lengths were cut off."""
SCRYPT_SIZES = (32, 64)
ARGON2_SALT_MIN = 8
"""Bytes (RFC 9106 §3.1)."""

PBKDF2_DIGESTS = {"sha1": 20, "sha256": 32, "sha512": 64}
"""Hash functions, and their lengths in bytes. A longer result would cost the work again."""


class Wrapping(Enum):
    """What a password goes through before bcrypt, which takes 72 bytes only."""

    NONE = auto()
    SHA256_HEX = auto()
    """Django's ``bcrypt_sha256``."""
    SHA256_BASE64 = auto()
    """The first version of passlib's ``bcrypt-sha256``."""
    HMAC_BASE64 = auto()
    """The second one: HMAC-SHA-256 with the salt's text as key."""


@dataclass(frozen=True, slots=True, repr=False)
class Argon2:
    """Argon2 in its reference form (``phc``); ``memory`` in KiB. Within the bounds."""

    stored: str
    phc: str
    memory: int
    passes: int
    lanes: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        _refuse(
            not 1 <= self.lanes <= ARGON2_LANES_MAX,
            f"argon2 must have 1 to {ARGON2_LANES_MAX} lanes (p).",
        )
        _refuse(
            not 8 * self.lanes <= self.memory <= MEMORY_MAX // 1024,
            f"argon2 must use 8 KiB a lane to {MEMORY_MAX // 1024} KiB of memory (m).",
        )
        _refuse(
            not 1 <= self.passes <= ARGON2_WORK_MAX // 1024 // self.memory,
            f"argon2's memory times its passes (m × t) must be at most"
            f" {ARGON2_WORK_MAX // 1024} KiB, with a pass at least.",
        )
        _check_lengths("argon2", self.salt, self.digest, DIGEST_SIZES, salt_min=ARGON2_SALT_MIN)


@dataclass(frozen=True, slots=True, repr=False)
class Bcrypt:
    """bcrypt of the wrapped password; ``salt`` and ``digest`` in its own base 64, unused bits 0."""

    stored: str
    cost: int
    salt: str
    digest: str
    wrapping: Wrapping = Wrapping.NONE

    def __post_init__(self) -> None:
        _refuse(
            not BCRYPT_COST_MIN <= self.cost <= BCRYPT_COST_MAX,
            f"bcrypt's cost must be {BCRYPT_COST_MIN} to {BCRYPT_COST_MAX}.",
        )


@dataclass(frozen=True, slots=True, repr=False)
class Scrypt:
    """scrypt (RFC 7914) with ``n`` a power of two. Within the bounds."""

    stored: str
    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        _check_scrypt(self.n, self.r, self.p)
        _check_lengths("scrypt", self.salt, self.digest, SCRYPT_SIZES)


@dataclass(frozen=True, slots=True, repr=False)
class Pbkdf2:
    """PBKDF2 (RFC 8018 §5.2) with HMAC of ``function``; one block long. Within the bounds."""

    stored: str
    function: str
    rounds: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        _refuse(
            not 1 <= self.rounds <= PBKDF2_ROUNDS_MAX,
            f"PBKDF2 must have 1 to {PBKDF2_ROUNDS_MAX} iterations.",
        )
        sizes = (PBKDF2_DIGESTS[self.function],)
        _check_lengths("PBKDF2", self.salt, self.digest, sizes)


@dataclass(frozen=True, slots=True, repr=False)
class Firebase:
    """Firebase's scrypt: what AES-CTR gives under a key derived from the password.

    Firebase encrypts the project's signer key with it. ``stream`` is that with the signer key taken
    out again (an exclusive or), so that no row holds a key of the project. Within the bounds.
    """

    stored: str
    n: int
    r: int
    salt: bytes
    stream: bytes

    def __post_init__(self) -> None:
        _check_scrypt(self.n, self.r, 1)
        _check_lengths("Firebase scrypt", self.salt, self.stream, SCRYPT_SIZES)


Recipe = Argon2 | Bcrypt | Scrypt | Pbkdf2 | Firebase
"""``stored`` is the text to store: it reads as the same recipe, and has at most 255 characters."""


def _check_scrypt(n: int, r: int, p: int) -> None:
    """Raises: ValueError."""
    _refuse(
        not (1 <= r <= SCRYPT_FACTOR_MAX and 1 <= p <= SCRYPT_FACTOR_MAX),
        f"scrypt's r and p must each be 1 to {SCRYPT_FACTOR_MAX}.",
    )
    _refuse(
        n < 2 or n & (n - 1) != 0 or n >= 1 << (16 * r),
        "scrypt's N must be a power of two, at least 2 and less than 2 to the power 16 × r.",
    )
    _refuse(
        128 * n * r > MEMORY_MAX,
        f"scrypt's memory (128 × N × r) must be at most {MEMORY_MAX // MIB} MiB.",
    )
    _refuse(
        128 * n * r * p > SCRYPT_WORK_MAX,
        f"scrypt's work (128 × N × r × p) must be at most {SCRYPT_WORK_MAX // MIB} MiB.",
    )


def _check_lengths(
    name: str, salt: bytes, digest: bytes, sizes: tuple[int, ...], *, salt_min: int = SALT_MIN
) -> None:
    """Raises: ValueError."""
    _refuse(
        not salt_min <= len(salt) <= SALT_MAX,
        f"{name} must have a salt of {salt_min} to {SALT_MAX} bytes.",
    )
    known = " or ".join(map(str, sizes))
    _refuse(len(digest) not in sizes, f"{name} must have a hash of {known} bytes.")


def _refuse(wrong: bool, reason: str) -> None:
    """Raises: ValueError."""
    if wrong:
        raise ValueError(reason)
