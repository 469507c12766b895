"""Named queries over idempotency keys."""

from tortoise.exceptions import IntegrityError

from service.core.clock import Clock, utc_now
from service.core.idempotency import KEPT_FOR, Kept, KeyTaken
from service.idempotency.models import IdempotencyKey
from service.infra.database import unique_violation

PURGED_AT_ONCE = 10


class IdempotencyRepository:
    """First answers by key (``core.idempotency.Answers``)."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def find(self, key_hash: str) -> Kept | None:
        """The answer kept under a key, unless its time is over."""
        row = await IdempotencyKey.filter(key_hash=key_hash, expires_at__gt=self._clock()).first()
        if row is None or row.answer is None:
            return None
        return Kept(row.key_hash, row.operation, row.command_hash, row.answer)

    async def keep(self, kept: Kept) -> None:
        """Keep an answer, in the transaction under way, in place of one whose time is over.

        Raises:
            KeyTaken: there is one already.
        """
        now = self._clock()
        await IdempotencyKey.filter(key_hash=kept.key_hash, expires_at__lte=now).delete()
        try:
            await IdempotencyKey.create(
                key_hash=kept.key_hash,
                operation=kept.operation,
                command_hash=kept.command_hash,
                answer=kept.answer,
                created_at=now,
                expires_at=now + KEPT_FOR,
            )
        except IntegrityError as error:
            if unique_violation(error) is None:
                raise
            raise KeyTaken from None

    async def purge(self, at_most: int = PURGED_AT_ONCE) -> int:
        """Delete up to ``at_most`` answers whose time is over, the oldest first.

        Every creation with a key calls it, and deletes more than it adds: the table never holds
        much beyond a day's creations.
        """
        over = IdempotencyKey.filter(expires_at__lte=self._clock()).order_by("expires_at")
        keys = await over.limit(at_most).values_list("key_hash", flat=True)
        return await IdempotencyKey.filter(key_hash__in=list(keys)).delete() if keys else 0
