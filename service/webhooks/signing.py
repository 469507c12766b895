"""Signatures as Standard Webhooks says them (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from datetime import datetime

PREFIX, VERSION = "whsec_", "v1"
SECRET_BYTES = 32
"""The standard wants 24 to 64."""


def new_secret() -> bytes:
    """A secret that nobody knows yet."""
    return os.urandom(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as its receiver is told it."""
    return PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """What one secret signs a message with."""
    signed = f"{id_}.{timestamp}.".encode() + body
    mac = hmac.digest(secret, signed, hashlib.sha256)
    return f"{VERSION},{base64.b64encode(mac).decode()}"


def signed_headers(secrets: Iterable[bytes], id_: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a message sent ``at`` an instant; every secret signs, parted by blanks.

    ``id_`` stays the same when the message is sent again; the instant does not.
    """
    timestamp = int(at.timestamp())
    signatures = (signature(secret, id_, timestamp, body) for secret in secrets)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
