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
    key_id: bytes


class RefreshTokens:
    """Makes and reads the tokens of a session from its id, its counter and its salt.

    The outer seal needs only the service's key, so garbage costs no query; the inner proof needs
    the session's salt too, so neither the key nor the database alone can make a token. The same
    three always give the same token, so a successor whose answer was lost can be made again.
    Tokens are minted with ``secret``; those of the ``previous`` ones are read, too, and so each is
    traded for one of ``secret``. Which of them a token is of, its key id says.
    """

    def __init__(self, secret: bytes, *previous: bytes) -> None:
        self._current = _Keys.of(secret)
        self._keys = {keys.id: keys for keys in map(_Keys.of, (secret, *previous))}

    def mint(self, session_id: UUID, counter: int, salt: bytes) -> str:
        """The token number ``counter`` of the session."""
        keys = self._current
        proof = keys.prove(session_id, counter, salt)
        head = _FORM.pack(_VERSION, keys.id, session_id.bytes, counter, proof, b"")[:-16]
        return base64.urlsafe_b64encode(head + keys.seal(head)).decode()

    def read(self, presented: str) -> RefreshClaim:
        """Raises: InvalidToken, when this service did not make it."""
        try:
            raw = base64.b64decode(presented.encode("ascii"), altchars=b"-_", validate=True)
            version, key_id, session, counter, proof, seal = _FORM.unpack(raw)
        except (UnicodeEncodeError, binascii.Error, ValueError, struct.error):
            raise InvalidToken from None
        keys = self._keys.get(key_id, self._current)
        good = hmac.compare_digest(seal, keys.seal(raw[:-16]))
        good = good and base64.urlsafe_b64encode(raw).decode() == presented  # has one spelling
        if not good or version != _VERSION or key_id != keys.id:
            raise InvalidToken
        return RefreshClaim(UUID(bytes=session), counter, proof, key_id)

    def fits(self, claim: RefreshClaim, salt: bytes) -> bool:
        """Whether the claim was made with the session's salt."""
        keys = self._keys[claim.key_id]
        proof = keys.prove(claim.session_id, claim.counter, salt)
        return hmac.compare_digest(claim.proof, proof)


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    """What one secret gives."""

    id: bytes
    for_proof: bytes
    for_seal: bytes

    @classmethod
    def of(cls, secret: bytes) -> "_Keys":
        return cls(
            derive(secret, "refresh token key id", 4),
            derive(secret, "refresh token proof"),
            derive(secret, "refresh token seal"),
        )

    def prove(self, session_id: UUID, counter: int, salt: bytes) -> bytes:
        data = session_id.bytes + counter.to_bytes(4, "big") + salt
        return hmac.digest(self.for_proof, data, hashlib.sha256)[:16]

    def seal(self, head: bytes) -> bytes:
        return hmac.digest(self.for_seal, head, hashlib.sha256)[:16]
