"""How bytes are written inside password hashes."""

from base64 import b64decode, b64encode

_TO_STANDARD = str.maketrans(".-_", "++/")
_BCRYPT_DIGITS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def from_base64(text: str) -> bytes:
    """The bytes of base 64 in any dialect: standard, URL-safe or passlib's, padded or not.

    Raises:
        ValueError: its bits are no whole bytes, as when its end was cut off.
    """
    plain = text.rstrip("=").translate(_TO_STANDARD)
    try:
        data = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        data = b""
    if to_base64(data) != plain:
        raise ValueError("The salt or hash is damaged: not whole bytes in base 64.")
    return data


def to_base64(data: bytes) -> str:
    """Standard base 64 without padding."""
    return b64encode(data).decode("ascii").rstrip("=")


def from_hex(text: str) -> bytes:
    """Raises: ValueError."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError("The hash is damaged: not whole bytes in hexadecimal.") from None


def bcrypt_salt(text: str) -> str:
    """16 bytes in bcrypt's base 64, the 4 unused bits cleared: some libraries left them set."""
    return _cleared(text, 0b110000)


def bcrypt_digest(text: str) -> str:
    """23 bytes in bcrypt's base 64, the 2 unused bits cleared."""
    return _cleared(text, 0b111100)


def _cleared(text: str, mask: int) -> str:
    return text[:-1] + _BCRYPT_DIGITS[_BCRYPT_DIGITS.index(text[-1]) & mask]
