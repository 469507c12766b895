"""Access tokens: short-lived JWTs (RFC 9068), and their strict reader (RFC 8725)."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from service.core.clock import Clock
from service.core.errors import InvalidToken
from service.core.ids import canonical, new_id
from service.core.keys import derive

ALGORITHM = "HS256"
TYPE = "at+jwt"
TOKEN_MAX = 4096
"""Bytes; longer ones are refused unread."""
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REQUIRED = ("iss", "aud", "sub", "sid", "jti", "roles", "epoch", "type", "iat", "exp")


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a good access token says. ``epoch`` is the user's ``token_epoch`` when it was made."""

    user_id: UUID
    session_id: UUID
    token_id: str
    roles: frozenset[str]
    epoch: int
    issued_at: datetime
    expires_at: datetime


class AccessTokens:
    """Issues and reads access tokens with one pinned algorithm and key."""

    def __init__(
        self, secret: bytes, *, issuer: str, audience: str, lifetime: timedelta, clock: Clock
    ) -> None:
        self.issuer, self.audience, self.lifetime = issuer, audience, lifetime
        self._secret, self._clock = secret, clock
        self._kid = derive(secret, "jwt key id", 8).hex()

    def issue(self, user_id: UUID, session_id: UUID, roles: frozenset[str], epoch: int) -> str:
        """A token for the bearer of the session, good from now for ``lifetime``."""
        now = int(self._clock().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": str(new_id()),
            "roles": sorted(roles),
            "epoch": epoch,
            "type": "access",
            "iat": now,
            "exp": now + int(self.lifetime.total_seconds()),
        }
        header = {"kid": self._kid, "typ": TYPE}
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM, headers=header)

    def read(self, token: str) -> AccessClaims:
        """The claims of a token that this service issued and that has not expired.

        Raises:
            InvalidToken: anything about it is not exactly as ``issue`` makes it.
        """
        if len(token) > TOKEN_MAX or not _COMPACT.fullmatch(token):
            raise InvalidToken
        self._check_header(token)
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                audience=self.audience,
                options={
                    "require": list(_REQUIRED),
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise InvalidToken from None
        return self._checked(claims)

    def _check_header(self, token: str) -> None:
        parts = [_canonical_bytes(part) for part in token.split(".")]
        try:
            header = json.loads(parts[0])
        except (ValueError, RecursionError):
            raise InvalidToken from None
        if header != {"alg": ALGORITHM, "kid": self._kid, "typ": TYPE}:
            raise InvalidToken

    def _checked(self, claims: dict[str, Any]) -> AccessClaims:
        match claims:
            case {
                "sub": str(sub),
                "sid": str(sid),
                "jti": str(jti),
                "type": "access",
                "roles": [*roles],
                "epoch": int(epoch),
                "iat": int(iat),
                "exp": int(exp),
            } if exp > self._clock().timestamp() and all(isinstance(r, str) for r in roles):
                user_id, session_id = canonical(sub), canonical(sid)
                if user_id and session_id:
                    return AccessClaims(
                        user_id,
                        session_id,
                        jti,
                        frozenset(roles),
                        epoch,
                        datetime.fromtimestamp(iat, UTC),
                        datetime.fromtimestamp(exp, UTC),
                    )
        raise InvalidToken


def _canonical_bytes(part: str) -> bytes:
    """Decode base64url that has exactly one spelling (RFC 7515 §2: no padding, no stray bits).

    Raises:
        InvalidToken: the same bytes would be spelled otherwise.
    """
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise InvalidToken from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise InvalidToken
    return raw
