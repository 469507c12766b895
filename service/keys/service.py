"""The rules about keys: operators change the ring, everybody may see its public part."""

import logging

from service.core.access import Actor, Anyone, Inside, allow
from service.core.clock import Clock, utc_now
from service.keys.held import HeldKey
from service.keys.locksmith import Locksmith, Rotation
from service.keys.ring import KeyRing
from service.keys.schemas import KeySetView, KeyView

log = logging.getLogger("arcana.keys")


class KeyService:
    """The keys that sign access tokens."""

    def __init__(self, ring: KeyRing, locksmith: Locksmith, clock: Clock = utc_now) -> None:
        self._ring, self._locksmith, self._clock = ring, locksmith, clock

    @allow(Anyone())
    async def published(self, actor: Actor) -> KeySetView:
        """The public keys of all tokens that are good, and of those to come next; from memory.

        Raises:
            Unavailable.
        """
        return KeySetView.of(await self._ring.published())

    @allow(Inside())
    async def list(self, actor: Actor) -> list[KeyView]:
        """Every key of the ring, the oldest first.

        Raises:
            Unavailable.
        """
        return [self._view(key) for key in await self._locksmith.keys()]

    @allow(Inside())
    async def rotate(self, actor: Actor) -> Rotation:
        """Have the next key sign from now on; what the old one signed stays good until it expires.

        Raises:
            KeysLocked, KeysChanged, Unavailable.
        """
        done = await self._locksmith.rotate()
        log.info("keys rotated", extra={"signing": done.signing, "old": done.old})
        return done

    @allow(Inside())
    async def retire(self, actor: Actor, kid: str) -> None:
        """End a key at once; every worker refuses what it signed within 5 s.

        Raises:
            KeyNotFound, KeyInUse, Unavailable.
        """
        await self._locksmith.retire(kid)
        log.warning("key retired", extra={"kid": kid})

    def _view(self, key: HeldKey) -> KeyView:
        return KeyView(
            kid=key.kid,
            algorithm=key.algorithm,
            state=key.state(self._clock()),
            created_at=key.row.created_at,
            signs_from=key.row.signs_from,
            expires_at=key.row.expires_at,
            opens=key.can_sign,
        )
