"""Makes, promotes and ends the keys of the ring, for all workers at once."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.core.clock import Clock, utc_now
from service.core.ports import Transactions
from service.keys.algorithms import KINDS, Algorithm, Key
from service.keys.errors import KeyInUse, KeyNotFound, KeysChanged, KeysLocked
from service.keys.held import HeldKey, Opener, State, signing_of
from service.keys.jwk import public_jwk, written
from service.keys.repository import KeyRepository
from service.keys.sealing import Safe

LEEWAY = timedelta(minutes=5)
"""How much longer a key is good than its last token should need: for clocks that differ, and for a
worker that learns late of a rotation and signs with it still."""
KEPT = timedelta(days=1)
"""How long a key that is over can still be seen in the list."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did. ``announced_at`` is when the key that signs now was published."""

    old: str
    old_until: datetime
    signing: str
    algorithm: Algorithm
    announced_at: datetime
    following: str


class Locksmith:
    """Changes the ring.

    Invariant: once there is a ring, exactly one key signs. Whoever puts another in its place ends
    the old one by a conditional UPDATE first, so of two at once one finds nothing to end. A new
    ring begins with the row that stands for the secret itself, whose name all workers know: they
    insert it at the same time and there is one.

    A key is good as long as tokens last that any worker signed with it. Whoever ends it may have
    another ``token_lifetime``, such as a command that was not told: so the workers write theirs
    down beside the key, and the next one starts with what the last one had.
    """

    def __init__(
        self,
        keys: KeyRepository,
        opener: Opener,
        safe: Safe,
        transactions: Transactions,
        *,
        algorithm: Algorithm,
        token_lifetime: timedelta,
        clock: Clock = utc_now,
    ) -> None:
        self._keys, self._opener, self._safe = keys, opener, safe
        self._begin, self._clock = transactions, clock
        self.algorithm: Algorithm = algorithm
        """What new keys are for."""
        self._token_seconds = int(token_lifetime.total_seconds())

    async def keys(self) -> list[HeldKey]:
        """The ring as it is now, the oldest first."""
        return self._opener.hold(await self._keys.all())

    async def prepare(self) -> None:
        """See to it that a key signs which is of the configured algorithm and which we can open.

        A worker that starts calls it. A secret itself signs only while it is ``JWT_SECRET``.
        """
        keys = await self.keys()
        if signing_of(keys) is None:
            await self._begin_ring()
            keys = await self.keys()
        old = signing_of(keys)
        if old is not None and self._is_outdated(old):
            try:
                await self._turn(keys, old, self.algorithm)
            except KeysChanged:  # another worker that starts was faster
                pass
            keys = await self.keys()
        await self.mend(keys)

    async def mend(self, keys: list[HeldKey]) -> None:
        """Publish the next key where there is none, and add what the ring does not know of us.

        That is how long our tokens last, and seals for secrets of ours: so a worker that knows the
        new secret beside the old one makes each key good for both.
        """
        signing = signing_of(keys)
        if signing is not None and self._outlasts(signing):
            await self._keys.note_lifetime(signing.kid, self._token_seconds)
        if signing is not None and self._lacks_next(keys, signing):
            await self._add(await _made(signing.algorithm))
        for key in keys:
            if key.completed is not None and key.row.sealed is not None:
                await self._keys.reseal(key.kid, old=key.row.sealed, new=key.completed)

    def needs_mending(self, keys: list[HeldKey]) -> bool:
        signing = signing_of(keys)
        lacks = signing is not None and (self._lacks_next(keys, signing) or self._outlasts(signing))
        return lacks or any(key.completed is not None for key in keys)

    async def rotate(self) -> Rotation:
        """Have the next key sign from now on, and publish another one.

        Raises:
            KeysLocked: there is no ring yet, or it can't be opened with our secrets.
            KeysChanged: somebody else rotated at this moment.
        """
        keys = await self.keys()
        old = signing_of(keys)
        if old is None or not old.can_sign:
            raise KeysLocked
        return await self._turn(keys, old, old.algorithm)

    async def retire(self, kid: str) -> None:
        """End a key at once: what it signed is good no longer.

        Raises:
            KeyNotFound, KeyInUse.
        """
        keys = await self.keys()
        key = next((each for each in keys if each.kid == kid), None)
        if key is None:
            raise KeyNotFound
        if key.signs:
            raise KeyInUse
        if key.state(self._clock()) is State.RETIRED:
            return
        if not await self._keys.retire(key.row):
            raise KeyInUse  # it was promoted a moment ago
        await self.mend(await self.keys())

    def _lacks_next(self, keys: list[HeldKey], signing: HeldKey) -> bool:
        """Who can't open the key that signs has other secrets, and publishes nothing."""
        return signing.can_sign and not _following(keys, signing.algorithm)

    def _outlasts(self, signing: HeldKey) -> bool:
        """Whether tokens that we sign with the key last longer than anybody has written down."""
        return signing.can_sign and (signing.row.token_seconds or 0) < self._token_seconds

    def _is_outdated(self, signing: HeldKey) -> bool:
        is_of_old_secret = signing.secret not in (None, 0)
        return signing.algorithm != self.algorithm or not signing.can_sign or is_of_old_secret

    async def _begin_ring(self) -> None:
        own, *previous = self._opener.own_kids
        for kid in previous:
            await self._keys.add_secrets_own(kid, expires_at=self._end(self._token_seconds))
        await self._keys.add_secrets_own(own)
        if signing_of(await self.keys()) is None:
            await self._keys.revive(own)

    async def _turn(self, keys: list[HeldKey], old: HeldKey, algorithm: Algorithm) -> Rotation:
        """Raises: KeysChanged."""
        promoted = _following(keys, algorithm)
        seconds = max(old.row.token_seconds or 0, self._token_seconds)
        end = self._end(seconds)
        first = None if promoted else await _made(algorithm)
        following = await _made(algorithm)
        async with self._begin():
            if not await self._keys.end(old.kid, end):
                raise KeysChanged
            if first is not None:
                await self._add(first, signs_for=seconds)
            elif promoted is None or not await self._keys.promote(promoted.kid, seconds):
                raise KeysChanged
            await self._add(following)
            await self._keys.delete(_unwanted(keys, promoted))
        await self._keys.delete(self._long_over(keys))
        signing = promoted.kid if promoted else first.kid if first else ""
        announced = promoted.row.created_at if promoted else self._clock()
        return Rotation(old.kid, end, signing, algorithm, announced, following.kid)

    def _end(self, token_seconds: int) -> datetime:
        return self._clock() + timedelta(seconds=token_seconds) + LEEWAY

    def _long_over(self, keys: list[HeldKey]) -> list[str]:
        since = self._clock() - KEPT
        return [key.kid for key in keys if not key.is_good(since)]

    async def _add(self, key: Key, *, signs_for: int | None = None) -> None:
        jwk = public_jwk(key)
        await self._keys.add(
            key.kid,
            key.algorithm,
            public=written(jwk) if jwk else None,
            sealed=self._safe.seal(key.kid, key.algorithm, key.private()),
            signs=signs_for is not None,
            token_seconds=signs_for,
        )


async def _made(algorithm: Algorithm) -> Key:
    """A new key; one for RS256 takes a good part of a second to find."""
    return await asyncio.to_thread(KINDS[algorithm].new)


def _following(keys: list[HeldKey], algorithm: Algorithm) -> HeldKey | None:
    """The key to sign next, which was published longest ago."""
    ready = (key for key in keys if key.is_next and key.can_sign and key.algorithm == algorithm)
    return next(ready, None)


def _unwanted(keys: list[HeldKey], promoted: HeldKey | None) -> list[str]:
    """Published keys that will never sign, now that another one is published."""
    return [key.kid for key in keys if key.is_next and key is not promoted]
