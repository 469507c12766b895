"""The outside world of one worker, as the settings name it."""

from contextlib import AsyncExitStack
from dataclasses import InitVar, dataclass, field
from datetime import timedelta

from config.settings import Settings
from service.core.clock import Clock, utc_now
from service.core.destinations import Destinations
from service.core.errors import Unavailable
from service.core.keys import Secrets, derive
from service.core.ports import Limiter, PasswordHasher
from service.infra.cache import Cache, MemoryCache, RedisCache, open_cache
from service.infra.changes import ChangeFeed
from service.infra.database import Database
from service.infra.hashing import Argon2Hasher
from service.infra.hooks import HttpHooks
from service.infra.limits import CacheLimiter, NoLimits
from service.infra.streams import StreamSink
from service.infra.totals import Totals
from service.infra.touches import Touches


@dataclass(frozen=True, slots=True)
class Outside:
    """The outside world as one worker holds it; tests put their own in."""

    database: Database
    cache: Cache
    hasher: PasswordHasher
    limiter: Limiter
    clock: Clock = utc_now
    totals: Totals = field(init=False)
    touches: Touches = field(init=False)
    changes: ChangeFeed = field(init=False)
    feed: InitVar[ChangeFeed | None] = None
    stream: StreamSink | None = None
    hooks: HttpHooks = field(default_factory=HttpHooks)

    def __post_init__(self, feed: ChangeFeed | None) -> None:
        object.__setattr__(self, "totals", Totals(self.cache))
        object.__setattr__(self, "touches", Touches(self.database, clock=self.clock))
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
        counting = CacheLimiter(counts, secret=derive(secrets_of(settings).current, "limits"))
        database = _database(settings, patience)
        return cls(
            database=database,
            cache=cache,
            hasher=Argon2Hasher(),
            limiter=counting if settings.rate_limits else NoLimits(),
            stream=_stream(settings),
            hooks=HttpHooks(Destinations.besides(settings.webhook_hosts)),
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
            if self.stream is not None:
                closing.push_async_callback(self.stream.close)
            closing.push_async_callback(self.changes.stop)
            closing.push_async_callback(self.touches.stop)
            closing.push_async_callback(self.hooks.close)

    async def readiness(self) -> dict[str, bool]:
        """Whether each dependency answers; the cache is one that the service can do without."""
        try:
            await self.database.ping()
        except Unavailable:
            return {"database": False}
        return {"database": True}


def _database(settings: Settings, patience: timedelta) -> Database:
    return Database(
        settings.database_url,
        pool_size=settings.db_pool_size,
        connect_timeout=settings.db_connect_timeout.total_seconds(),
        pool_timeout=max(settings.db_pool_timeout, patience).total_seconds(),
        command_timeout=max(settings.db_query_timeout, patience).total_seconds(),
        prepares=settings.db_prepared_statements,
    )


def _stream(settings: Settings) -> StreamSink | None:
    """The stream of events, if it is switched on."""
    if settings.event_stream is None or settings.redis_url is None:
        return None
    return StreamSink(
        settings.redis_url,
        stream=settings.event_stream,
        length=settings.event_stream_length,
        source=source_of(settings),
    )


def source_of(settings: Settings) -> str:
    """The service as events name it to the world."""
    return settings.event_source or settings.public_url or settings.jwt_issuer


def secrets_of(settings: Settings) -> Secrets:
    """The configured secret, and the one before it if it is named."""
    given = (settings.jwt_secret, settings.jwt_secret_previous)
    current, *previous = (secret.get_secret_value().encode() for secret in given if secret)
    return Secrets(current, tuple(previous))
