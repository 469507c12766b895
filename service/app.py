"""The composition root: the one module that knows every other, and builds it all."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import InitVar, dataclass, field
from datetime import timedelta
from importlib.metadata import version

from config.settings import Settings
from service.auth.access_tokens import AccessTokens
from service.auth.http import auth_blueprint
from service.auth.refresh_tokens import RefreshTokens
from service.auth.repository import AccountRepository, SessionRepository
from service.auth.rpc import AuthRpc
from service.auth.service import AuthService
from service.core.clock import Clock, utc_now
from service.core.errors import Unavailable
from service.core.idempotency import Idempotency
from service.core.keys import derive
from service.core.paging import Cursors
from service.core.ports import Limiter, PasswordHasher
from service.idempotency.repository import IdempotencyRepository
from service.infra.cache import Cache, MemoryCache, RedisCache, open_cache
from service.infra.changes import ChangeFeed
from service.infra.database import Database
from service.infra.hashing import Argon2Hasher
from service.infra.limits import CacheLimiter, NoLimits
from service.infra.totals import Totals
from service.roles.http import roles_blueprint
from service.roles.repository import RoleRepository
from service.roles.rpc import RolesRpc
from service.roles.service import RoleService
from service.transport.http.app import make_app
from service.transport.http.docs import docs_blueprint
from service.transport.http.guard import Guard
from service.transport.http.health import health_blueprint
from service.transport.http.requests import App
from service.transport.rpc.server import RpcServer
from service.users.bulk import BulkUsers
from service.users.exporting import UserExportService
from service.users.http import users_blueprint
from service.users.importing import UserImportService
from service.users.lists import UserLists
from service.users.repository import UserRepository
from service.users.rpc import UsersRpc
from service.users.service import UserService

GRACE = timedelta(seconds=10)
"""How long calls under way may go on when the worker stops."""
PATIENCE_OF_COMMANDS = timedelta(seconds=60)
"""How long a statement of the command line may take: nobody at a door waits for it."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The outside world as one worker holds it; tests put their own in."""

    database: Database
    cache: Cache
    hasher: PasswordHasher
    limiter: Limiter
    clock: Clock = utc_now
    totals: Totals = field(init=False)
    changes: ChangeFeed = field(init=False)
    feed: InitVar[ChangeFeed | None] = None

    def __post_init__(self, feed: ChangeFeed | None) -> None:
        object.__setattr__(self, "totals", Totals(self.cache))
        object.__setattr__(self, "changes", feed or ChangeFeed(self.database))

    @classmethod
    def of(cls, settings: Settings, *, patience: timedelta = timedelta(0)) -> "Outside":
        """What the settings name; nothing is connected yet.

        A database's command may take ``patience``, when that is more than the settings say.
        """
        cache = open_cache(
            settings.redis_url, prefix=settings.cache_prefix, default_ttl=settings.cache_ttl
        )
        # In process the counts stand apart, so that a flood of other entries can't push them out.
        counts = cache if settings.redis_url else MemoryCache(max_entries=100_000)
        counting = CacheLimiter(counts, secret=derive(_secret(settings), "limits"))
        database = _database(settings, patience)
        return cls(
            database=database,
            cache=cache,
            hasher=Argon2Hasher(),
            limiter=counting if settings.rate_limits else NoLimits(),
            feed=ChangeFeed(
                database,
                redis_url=settings.redis_url,
                channel=f"{settings.cache_prefix}changes",
            ),
        )

    @property
    def shared(self) -> Cache | None:
        """The cache that all workers share, if there is one."""
        return self.cache if isinstance(self.cache, RedisCache) else None

    async def connect(self) -> None:
        """Raises: Unavailable, when the database cannot be reached."""
        await self.database.connect()

    async def close(self) -> None:
        """Let go of everything, also when a part of it fails."""
        async with AsyncExitStack() as closing:
            closing.callback(self.hasher.close)
            closing.push_async_callback(self.cache.close)
            closing.push_async_callback(self.database.close)
            closing.push_async_callback(self.totals.close)
            closing.push_async_callback(self.changes.stop)

    async def readiness(self) -> dict[str, bool]:
        """Whether each dependency answers; the cache is one that the service can do without."""
        try:
            await self.database.ping()
        except Unavailable:
            return {"database": False}
        return {"database": True}


@dataclass(frozen=True, slots=True)
class Services:
    """Every service, over one outside world."""

    users: UserService
    imports: UserImportService
    exports: UserExportService
    roles: RoleService
    auth: AuthService


def build(settings: Settings, outside: Outside) -> Services:
    """Wire repositories and services together; nothing is connected yet."""
    secret = _secret(settings)
    begin, clock = outside.database.transaction, outside.clock
    user_rows = UserRepository(
        UserLists(outside.totals), outside.changes, outside.shared, clock, settings.cache_ttl
    )
    bulk = BulkUsers(outside.changes)
    sessions = SessionRepository(settings.refresh_token_expiry, outside.changes, clock)
    idempotency = Idempotency(IdempotencyRepository(clock), derive(secret, "idempotency"))
    users = UserService(
        user_rows,
        begin,
        outside.hasher,
        sessions,
        outside.limiter,
        Cursors(derive(secret, "cursor")),
        idempotency,
    )
    auth = AuthService(
        users,
        AccountRepository(),
        sessions,
        begin,
        outside.hasher,
        outside.limiter,
        AccessTokens(
            secret,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            lifetime=settings.access_token_expiry,
            clock=clock,
        ),
        RefreshTokens(secret),
        registration=settings.registration,
    )
    return Services(
        users=users,
        imports=UserImportService(user_rows, begin, bulk, users),
        exports=UserExportService(user_rows, bulk),
        roles=RoleService(RoleRepository(clock), users, begin, idempotency),
        auth=auth,
    )


def create_app(
    settings: Settings,
    outside: Outside | None = None,
    *,
    rpc_socket: socket.socket | None = None,
    name: str = "arcana",
) -> App:
    """One worker's application: REST by Sanic, and beside it in the same loop the gRPC server.

    Without ``rpc_socket`` the gRPC server binds ``GRPC_PORT`` itself.
    """
    outside = outside or Outside.of(settings)
    services = build(settings, outside)
    app = make_app(name, cors_origins=settings.cors_origins)
    app.ctx.draining = draining = asyncio.Event()

    async def readiness() -> dict[str, bool]:
        return {"worker": False} if draining.is_set() else await outside.readiness()

    guard = Guard(services.auth.authenticate, map(str, settings.trusted_proxies))
    for blueprint in (
        auth_blueprint(services.auth, guard),
        users_blueprint(services.users, guard),
        roles_blueprint(services.roles, guard),
        health_blueprint(readiness, guard),
        docs_blueprint(version("arcana")),
    ):
        app.blueprint(blueprint)
    _attach_rpc(app, settings, outside, services, rpc_socket)
    return app


def _attach_rpc(
    app: App,
    settings: Settings,
    outside: Outside,
    services: Services,
    rpc_socket: socket.socket | None,
) -> None:
    async def start(app: App) -> None:
        await outside.connect()
        await outside.changes.start()
        app.ctx.services = services
        app.ctx.rpc = RpcServer(
            [UsersRpc(services.users), RolesRpc(services.roles), AuthRpc(services.auth)],
            authenticate=services.auth.authenticate,
            readiness=lambda: _all_answer(outside),
        )
        if rpc_socket is not None:
            await app.ctx.rpc.start(sock=rpc_socket)
        else:
            await app.ctx.rpc.start(settings.http_host, settings.grpc_port, reuse_port=True)

    async def stop(app: App) -> None:
        try:
            await app.ctx.rpc.stop(GRACE)
        finally:
            await outside.close()

    app.before_server_start(start)
    app.after_server_stop(stop)


async def _all_answer(outside: Outside) -> bool:
    return all((await outside.readiness()).values())


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


def _database(settings: Settings, patience: timedelta) -> Database:
    return Database(
        settings.database_url,
        pool_size=settings.db_pool_size,
        connect_timeout=settings.db_connect_timeout.total_seconds(),
        pool_timeout=max(settings.db_pool_timeout, patience).total_seconds(),
        command_timeout=max(settings.db_query_timeout, patience).total_seconds(),
        prepares=settings.db_prepared_statements,
    )


def _secret(settings: Settings) -> bytes:
    return settings.jwt_secret.get_secret_value().encode()
