"""The rules about API keys."""

import hmac
from uuid import UUID

from service.api_keys.errors import ApiKeyNotFound
from service.api_keys.events import CREATED, REVOKED, told
from service.api_keys.facts import KnownKey
from service.api_keys.repository import ApiKeyRepository
from service.api_keys.schemas import ApiKeyList, CreateApiKey, NewApiKeyView
from service.core.access import ADMIN, SERVICE, SYSTEM, Actor, Inside, Role, Self, allow
from service.core.clock import Clock, utc_now
from service.core.credentials import CredentialForm
from service.core.errors import Forbidden, InvalidToken
from service.core.events import Publisher
from service.core.idempotency import refuse_key
from service.core.ids import canonical, new_id
from service.core.parsing import Raw, parse
from service.core.ports import Transactions
from service.users.service import UserService

FORM = CredentialForm("arc_")


class ApiKeyService:
    """The rules about API keys. ``actor`` is who asks; every method states who may.

    No key makes, lists or revokes keys: one that leaked could outlive its own end.
    """

    def __init__(
        self,
        keys: ApiKeyRepository,
        users: UserService,
        transactions: Transactions,
        publisher: Publisher,
        clock: Clock = utc_now,
    ) -> None:
        self._keys, self._users, self._begin, self._clock = keys, users, transactions, clock
        self._events = publisher

    @allow(Self("user_id"), scope=None)
    async def create(
        self, actor: Actor, user_id: str, raw: Raw, repeat_key: str | None = None
    ) -> NewApiKeyView:
        """Make a key for a program of one's own; the answer is the only place that shows it.

        So no answer is kept for whoever asks twice, and ``repeat_key``, an Idempotency-Key, is
        refused. Machines have client secrets instead: what an access token of theirs made would
        outlive the secret it came from.

        Raises:
            Invalid, Forbidden, UserNotFound, ApiKeyLimit.
        """
        if actor.has_role(SERVICE):
            raise Forbidden("Service accounts have client secrets, and no API keys.")
        refuse_key(repeat_key)
        command = parse(CreateApiKey, raw)
        minted, lifetime = FORM.mint(new_id()), command.lifetime
        async with self._begin():
            key = await self._keys.add(
                UUID(user_id),
                minted,
                name=command.name,
                scopes=command.scopes,
                expires_at=self._clock() + lifetime if lifetime else None,
            )
            await self._events.publish(told(CREATED, UUID(user_id), key.id))
        return NewApiKeyView.of(key, key=minted.text)

    @allow(Self("user_id"), Role(ADMIN), scope=None)
    async def list(self, actor: Actor, user_id: str) -> ApiKeyList:
        """The keys of a user, oldest first, without what would let anybody use them.

        Raises:
            UserNotFound.
        """
        owner = await self._users.get(SYSTEM, user_id)
        return ApiKeyList.of(await self._keys.of(UUID(owner.id)))

    @allow(Self("user_id"), Role(ADMIN), scope=None)
    async def revoke(self, actor: Actor, user_id: str, key_id: str) -> None:
        """End a key; no worker takes it a second later.

        Raises:
            UserNotFound, ApiKeyNotFound.
        """
        owner, key = await self._users.get(SYSTEM, user_id), canonical(key_id)
        async with self._begin():
            if key is None or not await self._keys.delete(UUID(owner.id), key):
                raise ApiKeyNotFound
            await self._events.publish(told(REVOKED, UUID(owner.id), key))

    @allow(Inside())
    async def good(self, actor: Actor, text: str) -> KnownKey:
        """The key that ``text`` is, with its owner's roles of now.

        Raises:
            InvalidToken: it is none, has expired or was revoked, or its owner isn't active.
            Unavailable: nobody can tell.
        """
        presented = FORM.read(text)
        key = await self._keys.known(presented.id) if presented else None
        if presented is None or key is None or not hmac.compare_digest(key.hash, presented.hash):
            raise InvalidToken
        if not key.counts(self._clock()):
            raise InvalidToken
        return key

    @allow(Inside())
    async def authenticate(self, actor: Actor, text: str) -> KnownKey:
        """``good``, for a caller who is let in by it: the key counts as used.

        Raises:
            InvalidToken, Unavailable.
        """
        key = await self.good(SYSTEM, text)
        self._keys.note_use(key.id)
        return key
