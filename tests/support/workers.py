"""Several workers of one service in one process: each with a cache and a change feed of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from config.settings import Settings
from service.app import Outside, Services, build
from service.core.access import SYSTEM
from service.infra.cache import Cache, MemoryCache, RedisCache
from service.infra.changes import ChangeFeed
from service.infra.database import Database
from service.infra.limits import NoLimits
from tests.support.fakes import PlainHasher
from tests.support.live import SECRET


@dataclass(frozen=True)
class Worker:
    """What one process of the service would hold; all share the database's pool."""

    cache: Cache
    feed: ChangeFeed
    services: Services

    async def user(self, user_id: str) -> tuple[int, str, list[str]]:
        """A user as this worker shows it: version, name, roles."""
        view = await self.services.users.get(SYSTEM, user_id)
        return view.version, view.name, view.roles

    async def rename(self, user_id: str, name: str) -> int:
        return (await self.services.users.update(SYSTEM, user_id, {"name": name})).version

    async def make(self, name: str = "v1") -> str:
        email = f"{uuid4().hex}@example.com"
        raw = {"name": name, "email": email, "password": "correct horse battery"}
        return (await self.services.users.create(SYSTEM, raw)).id


@asynccontextmanager
async def workers(
    database: Database, redis_url: str | None = None, *, count: int = 2, messages: bool = True
) -> AsyncIterator[list[Worker]]:
    """Workers over one database and Redis; without ``messages`` only the database tells them."""
    settings = Settings(database_url="sqlite://:memory:", jwt_secret=SECRET)
    prefix = f"test:{uuid4().hex}:"
    async with AsyncExitStack() as stack:
        team = []
        for _ in range(count):
            cache = RedisCache(redis_url, prefix=prefix) if redis_url else MemoryCache()
            stack.push_async_callback(cache.close)
            bus = {"redis_url": redis_url, "channel": f"{prefix}changes"} if messages else {}
            feed = ChangeFeed(database, **bus)  # type: ignore[arg-type]  # a dict of options
            outside = Outside(database, cache, PlainHasher(), NoLimits(), feed=feed)
            stack.push_async_callback(feed.stop)
            await feed.start()
            team.append(Worker(cache, feed, build(settings, outside)))
        await team[0].services.roles.make_built_in(SYSTEM)
        yield team
