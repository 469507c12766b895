"""Named queries over client secrets."""

from datetime import datetime
from uuid import UUID

from service.clients.errors import ClientSecretLimit
from service.clients.models import ClientSecret
from service.core.clock import Clock, utc_now
from service.core.credentials import Minted
from service.users.errors import UserNotFound
from service.users.models import User

MOST = 2
"""Secrets that one account may have, so that one is replaced while the other works."""


class ClientSecretRepository:
    """Client secrets by account, and by id for whoever presents one."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def add(
        self, user_id: UUID, minted: Minted, *, expires_at: datetime | None
    ) -> ClientSecret:
        """Insert a secret; call it inside a transaction, in which ``hold`` was called.

        Raises:
            ClientSecretLimit: the account has ``MOST`` already.
        """
        if await ClientSecret.filter(user_id=user_id).count() >= MOST:
            raise ClientSecretLimit
        return await ClientSecret.create(
            id=minted.id,
            user_id=user_id,
            hint=minted.hint,
            hash=minted.hash,
            expires_at=expires_at,
            created_at=self._clock(),
        )

    async def of(self, user_id: UUID) -> list[ClientSecret]:
        """The secrets of an account, oldest first."""
        return await ClientSecret.filter(user_id=user_id).order_by("id")

    async def live(self, user_id: UUID, secret_id: UUID) -> ClientSecret | None:
        """The account's secret of that id, unless it has expired."""
        secret = await ClientSecret.filter(id=secret_id, user_id=user_id).first()
        if secret is None or (secret.expires_at and secret.expires_at <= self._clock()):
            return None
        return secret

    async def note_use(self, secret_id: UUID) -> None:
        await ClientSecret.filter(id=secret_id).update(last_used_at=self._clock())

    async def delete(self, user_id: UUID, secret_id: UUID) -> bool:
        """Delete a secret of the account's; False when there is none."""
        return bool(await ClientSecret.filter(id=secret_id, user_id=user_id).delete())

    async def hold(self, user_id: UUID) -> None:
        """Keep everybody else from the account's secrets, and from logging in, until the commit.

        Raises:
            UserNotFound.
        """
        if await User.filter(id=user_id).select_for_update().first() is None:
            raise UserNotFound
