"""Keys for each use, derived from the one configured secret."""

import hashlib
import hmac


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
