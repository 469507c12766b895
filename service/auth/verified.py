"""Access tokens whose signature was checked lately: checking it again tells nothing new."""

from collections import OrderedDict

from service.auth.access_tokens import AccessClaims, AccessTokens
from service.core.clock import Clock


class VerifiedTokens:
    """What good tokens say, read once and kept until they expire, ``max_entries`` at most.

    Only tokens that passed ``AccessTokens.read`` get in, so nobody can fill it with garbage.
    Whether a token's session still stands is asked elsewhere, each time.
    """

    def __init__(self, tokens: AccessTokens, clock: Clock, *, max_entries: int = 20_000) -> None:
        self._tokens, self._clock, self._max_entries = tokens, clock, max_entries
        self._claims: OrderedDict[str, AccessClaims] = OrderedDict()

    def __len__(self) -> int:
        return len(self._claims)

    async def read(self, token: str) -> AccessClaims:
        """The claims of a good token.

        Raises:
            InvalidToken: it is not exactly as this service makes them, or has expired.
            Unavailable: its key is not known, and the database cannot be asked for it.
        """
        claims = self._claims.get(token)
        if claims is not None and self._clock() < claims.expires_at:
            return claims
        claims = await self._tokens.read(token)
        self._claims[token] = claims
        if len(self._claims) > self._max_entries:
            self._claims.popitem(last=False)
        return claims

    def forget_all(self) -> None:
        """Check every signature anew: the keys are not what they were."""
        self._claims.clear()
