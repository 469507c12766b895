"""Access tokens: short-lived JWTs (RFC 9068), and their strict reader (RFC 8725)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from service.core.clock import Clock
from service.core.errors import InvalidToken
from service.core.ids import canonical, new_id
from service.keys.algorithms import Key
from service.keys.encoding import Unfit, json_object
from service.keys.jws import LENGTH_MAX, Jws, parse, sign

TYPE = "at+jwt"
TOKEN_MAX = LENGTH_MAX
"""Characters; longer ones are refused unread."""
SKEW = timedelta(minutes=5)
"""How far the clock of the machine that made a token may be ahead; keys outlive them by as much."""
_HEADER = frozenset({"alg", "kid", "typ"})


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


class Keys(Protocol):
    """The keys of tokens, by their names."""

    async def signing(self) -> Key:
        """The key to sign with.

        Raises:
            Unavailable: nobody can tell right now.
        """

    async def find(self, kid: str) -> Key | None:
        """The key of that name, if what it signed is good.

        Raises:
            Unavailable: nobody can tell right now.
        """


class AccessTokens:
    """Issues and reads access tokens; which key a token is checked with, its ``kid`` says alone."""

    def __init__(
        self, keys: Keys, *, issuer: str, audience: str, lifetime: timedelta, clock: Clock
    ) -> None:
        self.issuer, self.audience, self.lifetime = issuer, audience, lifetime
        self._keys, self._clock = keys, clock

    def seconds_until(self, end: datetime) -> int:
        """How long a token made now is good: ``lifetime``, and never beyond its session's end."""
        left = int(end.timestamp()) - int(self._clock().timestamp())
        return max(0, min(int(self.lifetime.total_seconds()), left))

    async def issue(
        self,
        user_id: UUID,
        session_id: UUID,
        roles: frozenset[str],
        epoch: int,
        seconds: int | None = None,
    ) -> str:
        """A token for the bearer of the session, good from now for ``seconds`` or ``lifetime``.

        Raises:
            Unavailable: there is no key yet, and the database cannot be asked for one.
        """
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
            "exp": now + (int(self.lifetime.total_seconds()) if seconds is None else seconds),
        }
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return sign(await self._keys.signing(), TYPE, payload)

    async def read(self, token: str) -> AccessClaims:
        """The claims of a token that this service issued and that has not expired.

        Raises:
            InvalidToken: anything about it is not exactly as ``issue`` makes it.
            Unavailable: its key is not known, and the database cannot be asked for it.
        """
        try:
            return await self.examine(token)
        except Unfit:
            raise InvalidToken from None

    async def examine(self, token: str) -> AccessClaims:
        """``read`` for operators, who may know why a token is refused.

        Raises:
            Unfit: its text says what is wrong, and repeats nothing of the token.
            Unavailable.
        """
        jws = parse(token)
        if jws.header.keys() != _HEADER or jws.header["typ"] != TYPE or jws.kid is None:
            raise Unfit(f"its header has not exactly alg, kid and typ, which is {TYPE}")
        key = await self._keys.find(jws.kid)
        if key is None:
            raise Unfit("its key is not one of ours, or good no longer")
        return self._claims(jws, key)

    def _claims(self, jws: Jws, key: Key) -> AccessClaims:
        """Raises: Unfit."""
        said = json_object(jws.check(key))
        if said.get("iss") != self.issuer or said.get("aud") != self.audience:
            raise Unfit("it is of another issuer, or for another audience")
        claims = _read(said)
        now = self._clock()
        if claims.expires_at <= now:
            raise Unfit("it has expired")
        if claims.issued_at > now + SKEW or _begins(said) > now:
            raise Unfit("it is not good yet")
        return claims


def _read(said: dict[str, Any]) -> AccessClaims:
    """Raises: Unfit, when a claim is missing or has another form than ours."""
    match said:
        case {
            "sub": str(sub),
            "sid": str(sid),
            "jti": str(jti),
            "type": "access",
            "roles": [*roles],
            "epoch": int(epoch),
            "iat": int(iat),
            "exp": int(exp),
        } if (
            jti
            and all(isinstance(role, str) for role in roles)
            and bool not in map(type, (epoch, iat, exp))
        ):
            user_id, session_id = canonical(sub), canonical(sid)
            if user_id and session_id:
                issued, expires = _instant(iat), _instant(exp)
                held = frozenset(roles)
                return AccessClaims(user_id, session_id, jti, held, epoch, issued, expires)
    raise Unfit("a claim is missing, or is not of its form")


def _begins(said: dict[str, Any]) -> datetime:
    """When a token is good from (RFC 7519 §4.1.5). Ours don't say, and are good at once.

    Raises:
        Unfit: it says so in another form than ours.
    """
    seconds = said.get("nbf", 0)
    if type(seconds) is not int:
        raise Unfit("nbf is no whole number")
    return _instant(seconds)


def _instant(seconds: int) -> datetime:
    """Raises: Unfit, when no calendar has it."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise Unfit("a time is out of all range") from None
