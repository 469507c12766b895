"""Short texts that clients carry for us: opaque, and good only as this service made them."""

import base64
import binascii
import hashlib
import hmac

_MAC_BYTES = 12


class Seals:
    """Turns some bytes into a sealed text and back.

    The seal keeps clients from making texts of their own, so the form of the bytes may change
    freely. Those sealed with one of the ``previous`` keys are opened, too.
    """

    def __init__(self, key: bytes, *previous: bytes) -> None:
        self._keys = (key, *previous)

    def seal(self, content: bytes) -> str:
        return _sealed(self._keys[0], content)

    def open(self, text: str) -> bytes | None:
        """What was sealed; None when this service did not make the text."""
        try:
            content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-_MAC_BYTES]
        except (binascii.Error, ValueError):
            return None
        # The whole text, for base64 is read with any signs in between.
        given = text.encode(errors="replace")
        seals = [_sealed(key, content).encode() for key in self._keys]
        return content if any(hmac.compare_digest(given, seal) for seal in seals) else None


def _sealed(key: bytes, content: bytes) -> str:
    mac = hmac.digest(key, content, hashlib.sha256)[:_MAC_BYTES]
    return base64.urlsafe_b64encode(content + mac).decode().rstrip("=")
