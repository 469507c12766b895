"""Refresh tokens: opaque, single-use, and never stored (RFC 9700 §4.14.2)."""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from uuid import UUID

from service.core.errors import InvalidToken
from service.core.keys import derive

_FORM = struct.Struct(">B4s16sI16s16s")
"""Version, key id, session id, counter, proof, seal: 57 bytes, 76 characters of base64url."""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class RefreshClaim:
    """What a sealed token claims; ``proof`` must still fit the session's salt."""

    session_id: UUID
    counter: int
    proof: bytes


class RefreshTokens:
    """Makes and reads the tokens of a session from its id, its counter and its salt.

    The outer seal needs only the service's key, so garbage costs no query; the inner proof needs
    the session's salt too, so neither the key nor the database alone can make a token. The same
    three always give the same token, so a successor whose answer was lost can be made again.
    """

    def __init__(self, secret: bytes) -> None:
        self._proof_key = derive(secret, "refresh token proof")
        self._seal_key = derive(secret, "refresh token seal")
        self._key_id = derive(secret, "refresh token key id", 4)

    def mint(self, session_id: UUID, counter: int, salt: bytes) -> str:
        """The token number ``counter`` of the session."""
        proof = self._proof(session_id, counter, salt)
        head = _FORM.pack(_VERSION, self._key_id, session_id.bytes, counter, proof, b"")[:-16]
        return base64.urlsafe_b64encode(head + self._seal(head)).decode()

    def read(self, presented: str) -> RefreshClaim:
        """Raises: InvalidToken, when this service did not make it."""
        try:
            raw = base64.b64decode(presented.encode("ascii"), altchars=b"-_", validate=True)
            version, key_id, session, counter, proof, seal = _FORM.unpack(raw)
        except (UnicodeEncodeError, binascii.Error, ValueError, struct.error):
            raise InvalidToken from None
        good = hmac.compare_digest(seal, self._seal(raw[:-16]))
        good = good and base64.urlsafe_b64encode(raw).decode() == presented  # has one spelling
        if not good or version != _VERSION or key_id != self._key_id:
            raise InvalidToken
        return RefreshClaim(UUID(bytes=session), counter, proof)

    def fits(self, claim: RefreshClaim, salt: bytes) -> bool:
        """Whether the claim was made with the session's salt."""
        return hmac.compare_digest(claim.proof, self._proof(claim.session_id, claim.counter, salt))

    def _proof(self, session_id: UUID, counter: int, salt: bytes) -> bytes:
        data = session_id.bytes + counter.to_bytes(4, "big") + salt
        return hmac.digest(self._proof_key, data, hashlib.sha256)[:16]

    def _seal(self, head: bytes) -> bytes:
        return hmac.digest(self._seal_key, head, hashlib.sha256)[:16]
