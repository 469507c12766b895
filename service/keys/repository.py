"""Named queries over the key ring. Who changes it does so by one conditional UPDATE."""

from collections.abc import Collection
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q

from service.core.clock import Clock, utc_now
from service.infra.database import unique_violation
from service.keys.algorithms import Algorithm
from service.keys.models import SigningKey


class KeyRepository:
    """The rows of the ring."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def all(self) -> list[SigningKey]:
        """Every key, the oldest first."""
        return await SigningKey.all().order_by("created_at", "kid")

    async def add(
        self,
        kid: str,
        algorithm: Algorithm,
        *,
        public: str | None = None,
        sealed: str | None = None,
        signs: bool = False,
        token_seconds: int | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        """A new key, which signs from now on or is only published."""
        now = self._clock()
        await SigningKey.create(
            kid=kid,
            algorithm=algorithm,
            public=public,
            sealed=sealed,
            created_at=now,
            signs_from=now if signs else None,
            token_seconds=token_seconds,
            expires_at=expires_at,
        )

    async def add_secrets_own(self, kid: str, *, expires_at: datetime | None = None) -> None:
        """The row that stands for a secret itself, unless it is there: several add it at once."""
        try:
            await self.add(kid, "HS256", signs=True, expires_at=expires_at)
        except IntegrityError as error:
            if unique_violation(error) is None:
                raise

    async def revive(self, kid: str) -> bool:
        """Have a key sign whose time was over; False when it is not there, or signs."""
        over = SigningKey.filter(kid=kid, expires_at__isnull=False)
        return bool(await over.update(expires_at=None, signs_from=self._clock()))

    async def end(self, kid: str, at: datetime) -> bool:
        """Give the signing key its end; False when it does not sign any more."""
        signing = SigningKey.filter(kid=kid, signs_from__isnull=False, expires_at__isnull=True)
        return bool(await signing.update(expires_at=at))

    async def promote(self, kid: str, token_seconds: int) -> bool:
        """Have a published key sign; False when it does already, or is gone."""
        published = SigningKey.filter(kid=kid, signs_from__isnull=True, expires_at__isnull=True)
        now = self._clock()
        return bool(await published.update(signs_from=now, token_seconds=token_seconds))

    async def note_lifetime(self, kid: str, token_seconds: int) -> None:
        """Note how long tokens last that a worker signs with the key, if nobody's last longer."""
        shorter = Q(token_seconds__isnull=True) | Q(token_seconds__lt=token_seconds)
        await SigningKey.filter(shorter, kid=kid).update(token_seconds=token_seconds)

    async def retire(self, key: SigningKey) -> bool:
        """End a key that does not sign; False when it does by now.

        Its end is put where it began: that marks it as over by every machine's clock.
        """
        rows = SigningKey.filter(kid=key.kid)
        if key.signs_from is None:
            return bool(
                await rows.filter(signs_from__isnull=True).update(expires_at=key.created_at)
            )
        return bool(await rows.filter(expires_at__isnull=False).update(expires_at=key.created_at))

    async def reseal(self, kid: str, *, old: str, new: str) -> None:
        """Replace the seals of a private part, unless somebody else did."""
        await SigningKey.filter(kid=kid, sealed=old).update(sealed=new)

    async def delete(self, kids: Collection[str]) -> None:
        if kids:
            await SigningKey.filter(kid__in=list(kids)).delete()
