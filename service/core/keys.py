"""Keys for each use, derived from the configured secret and those that it replaced."""

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secret that new things are made with, and the others whose things are still taken."""

    current: bytes = field(repr=False)
    previous: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def all(self) -> tuple[bytes, ...]:
        return (self.current, *self.previous)

    def derive(self, label: str, length: int = 32) -> tuple[bytes, ...]:
        """The key for one use from each secret, the current one's first."""
        return tuple(derive(secret, label, length) for secret in self.all)


def derive(secret: bytes, label: str, length: int = 32) -> bytes:
    """A key for the use ``label`` names, of ``length`` bytes: HKDF-SHA256 (RFC 5869).

    No two labels give related keys, so a key that leaks opens one use only.
    """
    seed = hmac.digest(b"arcana", secret, hashlib.sha256)
    key, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(seed, block + label.encode() + bytes([counter]), hashlib.sha256)
        key += block
    return key[:length]
