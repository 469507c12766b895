"""The rules about service accounts and their secrets."""

import hmac
from datetime import timedelta
from uuid import UUID

from service.clients.errors import ClientSecretNotFound, NotAServiceAccount
from service.clients.events import CREATED, REVOKED, told
from service.clients.repository import ClientSecretRepository
from service.clients.schemas import (
    ClientSecretList,
    ClientSecretView,
    CreateClientSecret,
    EnrolClient,
    NewClientSecretView,
)
from service.core.access import ADMIN, SERVICE, SYSTEM, Actor, Inside, Role, allow
from service.core.clock import Clock, utc_now
from service.core.credentials import CredentialForm
from service.core.events import Publisher
from service.core.idempotency import refuse_key
from service.core.ids import canonical, new_id
from service.core.parsing import Raw, parse
from service.core.ports import CredentialSessions, Transactions
from service.users.service import UserService

FORM = CredentialForm("arcs_")
NO_MAILBOX = "clients.invalid"
"""The domain of accounts that get no mail; it can't exist (RFC 2606 §2)."""


class ClientService:
    """The rules about service accounts. ``actor`` is who asks; every method states who may."""

    def __init__(
        self,
        secrets: ClientSecretRepository,
        users: UserService,
        sessions: CredentialSessions,
        transactions: Transactions,
        publisher: Publisher,
        clock: Clock = utc_now,
    ) -> None:
        self._secrets, self._users, self._sessions = secrets, users, sessions
        self._begin, self._clock, self._events = transactions, clock, publisher

    @allow(Role(ADMIN), scope=None)
    async def create_secret(
        self, actor: Actor, user_id: str, raw: Raw, repeat_key: str | None = None
    ) -> NewClientSecretView:
        """Make a secret for a service account; the answer is the only place that shows it.

        So no answer is kept for whoever asks twice, and ``repeat_key``, an Idempotency-Key, is
        refused.

        Raises:
            Invalid, UserNotFound, NotAServiceAccount, ClientSecretLimit.
        """
        refuse_key(repeat_key)
        return await self._add_secret(user_id, parse(CreateClientSecret, raw).lifetime)

    async def _add_secret(self, user_id: str, lifetime: timedelta | None) -> NewClientSecretView:
        """Raises: UserNotFound, NotAServiceAccount, ClientSecretLimit."""
        minted = FORM.mint(new_id())
        async with self._begin():
            account = await self._users.get(SYSTEM, user_id)
            if SERVICE not in account.roles:
                raise NotAServiceAccount
            owner = UUID(account.id)
            await self._secrets.hold(owner)
            expires_at = self._clock() + lifetime if lifetime else None
            secret = await self._secrets.add(owner, minted, expires_at=expires_at)
            await self._events.publish(told(CREATED, owner, secret.id))
        return NewClientSecretView.of(secret, client_secret=minted.text)

    @allow(Role(ADMIN), scope=None)
    async def list_secrets(self, actor: Actor, user_id: str) -> ClientSecretList:
        """The secrets of an account, oldest first, without what would let anybody use them.

        Raises:
            UserNotFound.
        """
        owner = await self._users.get(SYSTEM, user_id)
        return ClientSecretList.of(await self._secrets.of(UUID(owner.id)))

    @allow(Role(ADMIN), scope=None)
    async def revoke_secret(self, actor: Actor, user_id: str, secret_id: str) -> None:
        """End a secret, and every session that was begun with it.

        Raises:
            UserNotFound, ClientSecretNotFound.
        """
        owner = UUID((await self._users.get(SYSTEM, user_id)).id)
        secret = canonical(secret_id)
        async with self._begin():
            await self._secrets.hold(owner)
            if secret is None or not await self._secrets.delete(owner, secret):
                raise ClientSecretNotFound
            await self._sessions.end_begun_with(owner, secret, why="client_secret_revoked")
            await self._events.publish(told(REVOKED, owner, secret))

    @allow(Inside())
    async def enrol(self, actor: Actor, raw: Raw) -> NewClientSecretView:
        """Make a service account and its first secret.

        Raises:
            Invalid, EmailTaken.
        """
        command = parse(EnrolClient, raw)
        email = command.email or f"{new_id()}@{NO_MAILBOX}"
        async with self._begin():
            account = await self._users.make_service_account(SYSTEM, command.name, email)
            return await self._add_secret(account.id, None)

    @allow(Inside())
    async def verified(self, actor: Actor, client_id: str, text: str) -> ClientSecretView | None:
        """The live secret that ``text`` is, if it belongs to the account ``client_id``.

        Text that is no secret costs no query; any other costs one, whoever's it may be.
        """
        presented = FORM.read(text)
        if presented is None:
            return None
        owner = canonical(client_id) or UUID(int=0)
        secret = await self._secrets.live(owner, presented.id)
        is_same = hmac.compare_digest(secret.hash if secret else "", presented.hash)
        return ClientSecretView.of(secret) if secret and is_same else None

    @allow(Inside())
    async def note_use(self, actor: Actor, secret: ClientSecretView) -> None:
        """A session was begun with it."""
        await self._secrets.note_use(UUID(secret.id))
