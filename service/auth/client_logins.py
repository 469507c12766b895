"""How service accounts log in: the client credentials grant (RFC 6749 §4.4)."""

from datetime import timedelta
from uuid import UUID

from service.auth.errors import InvalidClient, UnsupportedGrantType
from service.auth.models import Session
from service.auth.repository import Account, AccountRepository, SessionRepository
from service.auth.schemas import BasicPair, IssueToken
from service.clients.service import ClientService
from service.core.access import SERVICE, SYSTEM, Actor
from service.core.networks import network_of
from service.core.parsing import Raw, parse
from service.core.ports import Limiter, Transactions
from service.core.rates import CLIENT_LOGINS_BY_ADDRESS, FAILED_CLIENT_LOGINS

GRANT = "client_credentials"


class ClientLogins:
    """Begins the sessions of service accounts; each names the secret it was begun with.

    Only wrong tries count against an account: its secret can't be guessed, and so nobody who does
    not know it may keep those out who do.
    """

    def __init__(
        self,
        clients: ClientService,
        accounts: AccountRepository,
        sessions: SessionRepository,
        transactions: Transactions,
        limiter: Limiter,
    ) -> None:
        self._clients, self._accounts, self._sessions = clients, accounts, sessions
        self._begin, self._limiter = transactions, limiter

    async def begin(
        self, actor: Actor, raw: Raw, basic: BasicPair | None, lifetime: timedelta
    ) -> tuple[Account, Session]:
        """A session that ends after ``lifetime``, for whoever shows a live secret.

        Raises:
            Limited, Invalid, UnsupportedGrantType, InvalidClient.
        """
        await CLIENT_LOGINS_BY_ADDRESS.hit(self._limiter, network_of(actor.address))
        command = parse(IssueToken, raw)
        client_id, secret = command.client(basic)
        if command.grant_type != GRANT:
            raise UnsupportedGrantType
        begun = await self._begun(actor, client_id, secret, lifetime)
        if begun is None:
            await FAILED_CLIENT_LOGINS.hit(self._limiter, client_id[:64])
            raise InvalidClient
        return begun

    async def _begun(
        self, actor: Actor, client_id: str, secret: str, lifetime: timedelta
    ) -> tuple[Account, Session] | None:
        """Looked at twice: without a lock, which strangers must not take, and then under it."""
        if await self._clients.verified(SYSTEM, client_id, secret) is None:
            return None
        user_id = UUID(client_id)
        async with self._begin():
            account = await self._accounts.hold(user_id)
            found = await self._clients.verified(SYSTEM, client_id, secret)
            if account is None or found is None or not _may_log_in(account):
                return None
            session = await self._sessions.begin(
                user_id, actor, lifetime=lifetime, credential_id=UUID(found.id)
            )
            await self._clients.note_use(SYSTEM, found)
        return account, session


def _may_log_in(account: Account) -> bool:
    return account.may_sign_in and SERVICE in account.roles
