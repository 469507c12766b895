"""What every service is made of."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from config.settings import Settings
from service.api_keys.repository import ApiKeyRepository
from service.api_keys.service import ApiKeyService
from service.app.listeners import Listeners
from service.app.outside import Outside, secrets_of
from service.app.sinks import AllSinks
from service.auth.access_tokens import AccessTokens, Keys
from service.auth.client_logins import ClientLogins
from service.auth.refresh_tokens import RefreshTokens
from service.auth.repository import AccountRepository, SessionRepository, Spans
from service.auth.service import AuthService
from service.auth.sessions import SessionService
from service.auth.verified import VerifiedTokens
from service.clients.repository import ClientSecretRepository
from service.clients.service import ClientService
from service.core.clock import Clock, utc_now
from service.core.idempotency import Idempotency
from service.core.paging import Cursors
from service.events.replays import Replays
from service.events.repository import EventRepository
from service.idempotency.repository import IdempotencyRepository
from service.infra.chores import Chore
from service.infra.outbox import Outbox
from service.keys.held import Opener, SecretsAlone
from service.keys.locksmith import Locksmith
from service.keys.repository import KeyRepository
from service.keys.ring import KeyRing
from service.keys.sealing import Safe
from service.keys.service import KeyService
from service.notifications.service import NotificationService
from service.orders.repository import OrderRepository
from service.orders.service import OrderService
from service.roles.repository import RoleRepository
from service.roles.service import RoleService
from service.sync.service import DirectoryService
from service.users.bulk import BulkUsers
from service.users.exporting import UserExportService
from service.users.importing import UserImportService
from service.users.lists import UserLists
from service.users.repository import UserRepository
from service.users.service import UserService
from service.watches.service import UserWatchService
from service.watches.tail import Tail
from service.watches.tokens import ResumeTokens
from service.webhooks.repository import WebhookRepository
from service.webhooks.service import WebhookService

PATIENCE_OF_COMMANDS = timedelta(seconds=60)
"""How long a statement of the command line may take: nobody at a door waits for it."""


@dataclass(frozen=True, slots=True)
class Services:
    """Every service, over one outside world, and what one process of all does now and then."""

    users: UserService
    imports: UserImportService
    exports: UserExportService
    roles: RoleService
    auth: AuthService
    sessions: SessionService
    keys: KeyService
    ring: KeyRing
    access_tokens: AccessTokens
    api_keys: ApiKeyService
    clients: ClientService
    orders: OrderService
    events: EventRepository
    sinks: Callable[[], AllSinks]
    notifications: NotificationService
    webhooks: WebhookService
    watches: UserWatchService
    tail: Tail
    directories: DirectoryService
    chores: tuple[Chore, ...] = ()


def build(settings: Settings, outside: Outside) -> Services:
    """Every service; nothing is connected yet."""
    wiring = Wiring(settings, outside)
    return Services(
        users=wiring.users,
        imports=UserImportService(
            wiring.user_rows, wiring.begin, wiring.bulk, wiring.users, wiring.outbox
        ),
        exports=UserExportService(wiring.user_rows, wiring.bulk),
        roles=wiring.roles,
        auth=wiring.auth,
        sessions=SessionService(wiring.users, wiring.sessions, wiring.begin, wiring.clock),
        keys=KeyService(wiring.ring, wiring.locksmith, wiring.clock),
        ring=wiring.ring,
        access_tokens=wiring.access_tokens,
        api_keys=wiring.api_keys,
        clients=wiring.clients,
        orders=wiring.orders,
        events=wiring.events,
        sinks=lambda: wiring.listeners.sinks,
        notifications=wiring.notifications,
        webhooks=wiring.webhooks,
        watches=wiring.watches,
        tail=wiring.tail,
        directories=wiring.directories,
        chores=wiring.chores,
    )


class Wiring:
    """What each service is made of: a property each, made once, when first asked for."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        self._settings, self._outside = settings, outside
        self._secrets = secrets_of(settings)
        self.begin, self.clock = outside.database.transaction, outside.clock

    @cached_property
    def chores(self) -> tuple[Chore, ...]:
        return (
            Chore("changes", timedelta(minutes=5), self._outside.changes.clean),
            Chore("sessions", timedelta(hours=1), self.sessions.clean),
            Chore("events", timedelta(minutes=10), self.events.clean),
            Chore("notifications", timedelta(hours=1), self.listeners.notices.clean),
        )

    @cached_property
    def events(self) -> EventRepository:
        return EventRepository(self.clock)

    @cached_property
    def listeners(self) -> Listeners:
        return Listeners(self._settings, self._outside, self.events)

    @cached_property
    def users(self) -> UserService:
        return UserService(
            self.user_rows,
            self.begin,
            self._outside.hasher,
            self.sessions,
            self._outside.limiter,
            self.cursors,
            self.idempotency,
            self.outbox,
        )

    @cached_property
    def cursors(self) -> Cursors:
        return Cursors(*self._secrets.derive("cursor"))

    @cached_property
    def notifications(self) -> NotificationService:
        return NotificationService(self.listeners.notices, self.users, self.cursors)

    @cached_property
    def roles(self) -> RoleService:
        return RoleService(
            RoleRepository(self.clock), self.users, self.begin, self.idempotency, self.outbox
        )

    @cached_property
    def orders(self) -> OrderService:
        return OrderService(
            OrderRepository(self._outside.totals, self.clock),
            self.begin,
            self.cursors,
            self.idempotency,
            self.outbox,
        )

    @cached_property
    def watches(self) -> UserWatchService:
        tokens = ResumeTokens(*self._secrets.derive("resume"))
        return UserWatchService(self.users, self.events, self.tail, tokens)

    @cached_property
    def tail(self) -> Tail:
        return Tail(self.events)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.clock)

    @cached_property
    def auth(self) -> AuthService:
        return AuthService(
            self.users,
            self.accounts,
            self.sessions,
            self.begin,
            self._outside.hasher,
            self._outside.limiter,
            self.access_tokens,
            self.verified_tokens,
            RefreshTokens(*self._secrets.all),
            self.client_logins,
            self.api_keys,
            registration=self._settings.registration,
        )

    @cached_property
    def client_logins(self) -> ClientLogins:
        return ClientLogins(
            self.clients, self.accounts, self.sessions, self.begin, self._outside.limiter
        )

    @cached_property
    def clients(self) -> ClientService:
        secrets = ClientSecretRepository(self.clock)
        return ClientService(
            secrets, self.users, self.sessions, self.begin, self.outbox, self.clock
        )

    @cached_property
    def api_keys(self) -> ApiKeyService:
        keys = ApiKeyRepository(
            self._outside.changes,
            self._outside.touches,
            self.clock,
            fail_open=self._settings.revocation_outage == "open",
        )
        return ApiKeyService(keys, self.users, self.begin, self.outbox, self.clock)

    @cached_property
    def webhooks(self) -> WebhookService:
        return WebhookService(
            WebhookRepository(self.clock),
            self.events,
            Replays(self.events, self.clock),
            self.listeners.postman,
            self.listeners.webhook_secrets,
            self._outside.hooks.destinations,
            self.begin,
            self._outside.limiter,
            self.clock,
        )

    @cached_property
    def accounts(self) -> AccountRepository:
        return AccountRepository()

    @cached_property
    def user_rows(self) -> UserRepository:
        return UserRepository(
            UserLists(self._outside.totals),
            self._outside.changes,
            self._outside.shared,
            self.clock,
            self._settings.cache_ttl,
            is_synced=bool(self._settings.sync_targets),
        )

    @cached_property
    def directories(self) -> DirectoryService:
        names = [target.sink for target in self._settings.sync_targets]
        return DirectoryService(
            self.listeners.sync_rows, self.events, self.outbox, self.begin, names
        )

    @cached_property
    def bulk(self) -> BulkUsers:
        return BulkUsers(self._outside.changes)

    @cached_property
    def sessions(self) -> SessionRepository:
        return SessionRepository(
            Spans(self._settings.refresh_token_expiry, self._settings.session_lifetime),
            self._outside.changes,
            self._outside.touches,
            self.outbox,
            self.clock,
            fail_open=self._settings.revocation_outage == "open",
        )

    @cached_property
    def idempotency(self) -> Idempotency:
        answers = IdempotencyRepository(self.clock)
        return Idempotency(answers, *self._secrets.derive("idempotency"))

    @cached_property
    def access_tokens(self) -> AccessTokens:
        return _access_tokens(self._settings, self.ring, self.clock)

    @cached_property
    def verified_tokens(self) -> VerifiedTokens:
        verified = VerifiedTokens(self.access_tokens, self.clock)
        self.ring.subscribe(verified.forget_all)
        return verified

    @cached_property
    def ring(self) -> KeyRing:
        return KeyRing(self.locksmith, self.clock)

    @cached_property
    def locksmith(self) -> Locksmith:
        safe = Safe(self._secrets)
        return Locksmith(
            KeyRepository(self.clock),
            Opener(self._secrets, safe),
            safe,
            self.begin,
            algorithm=self._settings.jwt_algorithm,
            token_lifetime=self._settings.access_token_expiry,
            clock=self.clock,
        )


def access_tokens_without_database(settings: Settings) -> AccessTokens:
    """A reader of tokens that knows the configured secrets alone."""
    return _access_tokens(settings, SecretsAlone(secrets_of(settings)), utc_now)


def _access_tokens(settings: Settings, keys: Keys, clock: Clock) -> AccessTokens:
    return AccessTokens(
        keys,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        lifetime=settings.access_token_expiry,
        clock=clock,
    )


@asynccontextmanager
async def services_alone(settings: Settings) -> AsyncIterator[Services]:
    """Every service without a door, for the command line.

    Raises:
        Unavailable: the database cannot be reached.
    """
    outside = Outside.of(settings, patience=PATIENCE_OF_COMMANDS)
    await outside.connect()
    try:
        yield build(settings, outside)
    finally:
        await outside.close()
