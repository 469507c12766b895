"""Named queries over API keys."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from service.api_keys.errors import ApiKeyLimit
from service.api_keys.facts import KnownKey
from service.api_keys.models import ApiKey
from service.core.clock import Clock, utc_now
from service.core.credentials import Minted
from service.infra.changes import ChangeFeed
from service.infra.standings import Owned, Standings
from service.infra.touches import Touches
from service.users.errors import UserNotFound
from service.users.models import User

MOST = 50
"""Keys that one user may have, expired ones among them."""


class ApiKeyRepository:
    """API keys by owner, and by id for whoever presents one.

    Every write holds the owner's row, and is written down in the change feed: that is what makes
    all workers read a key again (docs/decisions/0023).
    """

    def __init__(
        self,
        changes: ChangeFeed,
        touches: Touches,
        clock: Clock = utc_now,
        *,
        fail_open: bool = False,
    ) -> None:
        """With ``fail_open`` keys are taken as last known while nobody can be asked."""
        self._changes, self._touches, self._clock = changes, touches, clock
        self._standings: Standings[KnownKey] = Standings(changes, fail_open=fail_open)

    async def known(self, key_id: UUID) -> KnownKey | None:
        """The key of that id; one seen lately costs no query.

        Raises:
            Unavailable: nobody can tell whether it still is as it was.
        """
        return await self._standings.get(key_id, None, partial(_read, key_id))

    def note_use(self, key_id: UUID) -> None:
        """Note that the key is used now; no request waits for it."""
        self._touches.note(ApiKey.Meta.table, key_id)

    async def add(
        self,
        user_id: UUID,
        minted: Minted,
        *,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None,
    ) -> ApiKey:
        """Insert a key; call it inside a transaction.

        Raises:
            UserNotFound: its owner is gone.
            ApiKeyLimit: its owner has ``MOST`` already.
        """
        await self._hold(user_id)
        if await ApiKey.filter(user_id=user_id).count() >= MOST:
            raise ApiKeyLimit
        key = await ApiKey.create(
            id=minted.id,
            user_id=user_id,
            name=name,
            hint=minted.hint,
            hash=minted.hash,
            scopes=" ".join(scopes),
            expires_at=expires_at,
            created_at=self._clock(),
        )
        await self._changes.append(user_id, "api_keys")
        return key

    async def of(self, user_id: UUID) -> list[ApiKey]:
        """The keys of a user, oldest first."""
        return await ApiKey.filter(user_id=user_id).order_by("id")

    async def delete(self, user_id: UUID, key_id: UUID) -> bool:
        """Delete a key of the user's; False when there is none. Call it inside a transaction."""
        await self._hold(user_id)
        deleted = bool(await ApiKey.filter(id=key_id, user_id=user_id).delete())
        if deleted:
            await self._changes.append(user_id, "api_keys")
        return deleted

    async def _hold(self, user_id: UUID) -> None:
        """Raises: UserNotFound."""
        if await User.filter(id=user_id).select_for_update().first() is None:
            raise UserNotFound


async def _read(key_id: UUID) -> Owned[KnownKey] | None:
    rows = await ApiKey.filter(id=key_id).values(*KnownKey.COLUMNS)
    if not rows:
        return None
    known = KnownKey.of(rows)
    return Owned(known.user_id, known)
