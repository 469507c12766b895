"""Keys for tests: fixed ones, without a ring."""

from functools import cache

from service.core.keys import derive
from service.keys.algorithms import ALGORITHMS, KINDS, Algorithm, HmacKey, Key
from tests.support.forge import Forge


class FixedKeys:
    """The keys it was given, of which the first signs (``auth.access_tokens.Keys``)."""

    def __init__(self, *keys: Key) -> None:
        self._keys = {key.kid: key for key in keys}
        self._signing = keys[0]

    async def signing(self) -> Key:
        return self._signing

    async def find(self, kid: str) -> Key | None:
        return self._keys.get(kid)


def secrets_own(secret: bytes) -> HmacKey:
    """The secret as a key, as release 0.2.0 used it."""
    return HmacKey(secret, derive(secret, "jwt key id", 8).hex())


@cache
def key_for(algorithm: Algorithm) -> Key:
    """One key of each kind for the whole run: those for RS256 take long to find."""
    return KINDS[algorithm].new()


def forge_of(key: Key) -> Forge:
    """A forge that knows the key."""
    return Forge(key.private(), key.algorithm)


__all__ = ["ALGORITHMS", "FixedKeys", "forge_of", "key_for", "secrets_own"]
