"""A whole service, alive in the tests' own event loop, with both doors on real sockets.

Sanic is started by ``create_server`` and so needs no thread and no process; grpclib listens
beside it. What is slow, random or outside is put in by the test: cheap hashing, a clock that
moves when told, limits that can be switched on.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sanic import Sanic

from config.settings import Settings
from service.app import Outside, Services, build, create_app
from service.core.access import BUILT_IN_ROLES, SYSTEM
from service.core.destinations import Destinations
from service.core.ports import Limiter
from service.infra.cache import MemoryCache
from service.infra.database import Database
from service.infra.hashing import Argon2Hasher
from service.infra.hooks import HttpHooks
from service.infra.limits import CacheLimiter
from service.infra.touches import Touches
from service.transport.http.requests import App
from tests.support.clock import MovingClock
from tests.support.databases import clear
from tests.support.doors import Rest, Rpc, rest_door, rpc_door
from tests.support.fakes import SpyingHasher
from tests.support.people import People

Sanic.test_mode = True  # without it a second application in one process can't be started

SECRET = "a secret of the tests, longer than 32 bytes"


class SwitchedLimiter:
    """Real limits that let everything through until they are switched on."""

    def __init__(self, inner: Limiter) -> None:
        self._inner = inner
        self.on = False

    async def hit(self, kind: str, subject: str, *, at_most: int, within: timedelta) -> None:
        if self.on:
            await self._inner.hit(kind, subject, at_most=at_most, within=within)

    async def forget(self, kind: str, subject: str) -> None:
        await self._inner.forget(kind, subject)


@dataclass(frozen=True)
class Live:
    """A running service, its two doors, and what a test may turn.

    ``reset`` brings back the state of a first start: empty tables, built-in roles, full limits.
    """

    settings: Settings
    app: App
    database: Database
    cache: MemoryCache
    hasher: SpyingHasher
    limits: SwitchedLimiter
    clock: MovingClock
    services: Services
    people: People
    touches: Touches
    http_port: int
    rpc_port: int
    rest: Rest
    rpc: Rpc

    async def reset(self) -> None:
        self.clock.reset()
        self.hasher.reset()
        self.limits.on = False
        await self.cache.delete_prefix("")
        await self._sweep()

    async def _sweep(self) -> None:
        """All rows but the built-in roles, in few statements, for every test waits for them."""
        kept = ", ".join(f"'{name}'" for name in BUILT_IN_ROLES)
        async with self.database.transaction():
            roles, sinks = f"roles WHERE name NOT IN ({kept})", "sinks WHERE name LIKE 'webhook:%'"
            for rows in (
                "webhooks",
                "deliveries",
                sinks,
                "orders",
                "users",
                "idempotency_keys",
                roles,
            ):
                await self.database.client.execute_script(f"DELETE FROM {rows}")


@asynccontextmanager
async def live_service(url: str, **settings: object) -> AsyncIterator[Live]:
    """A service over the migrated database at ``url``; ``settings`` are those of CONTRACT §5."""
    chosen = Settings(database_url=url, jwt_secret=SECRET, **settings)  # type: ignore[arg-type]
    clock = MovingClock()
    cache = MemoryCache(clock=lambda: clock().timestamp())
    outside = Outside(
        database=Database(url),
        cache=cache,
        hasher=SpyingHasher(Argon2Hasher(memory=64, passes=1)),
        limiter=SwitchedLimiter(
            CacheLimiter(cache, secret=b"limits", clock=lambda: clock().timestamp())
        ),
        clock=clock,
        hooks=HttpHooks(Destinations.besides(chosen.webhook_hosts), clock=clock),
    )
    http, rpc = _listening(), _listening()
    ports = http.getsockname()[1], rpc.getsockname()[1]
    app = create_app(chosen, outside, rpc_socket=rpc, name=f"live-{ports[0]}")
    services = build(chosen, outside)
    async with _serving(app, http), rest_door(ports[0]) as rest, rpc_door(ports[1]) as grpc:
        live = Live(
            settings=chosen,
            app=app,
            database=outside.database,
            cache=cache,
            hasher=outside.hasher,  # type: ignore[arg-type]  # made above
            limits=outside.limiter,  # type: ignore[arg-type]
            clock=clock,
            services=services,
            people=People(services, clock),
            touches=outside.touches,
            http_port=ports[0],
            rpc_port=ports[1],
            rest=rest,
            rpc=grpc,
        )
        await clear(outside.database)
        await app.ctx.services.ring.tend()  # what was cleared away is made anew
        await services.roles.make_built_in(SYSTEM)
        yield live


def _listening() -> socket.socket:
    """A socket that listens already: no other test can take the port in between.

    It says that it is TCP's: without that asyncio leaves Nagle's delay on, 40 ms a gRPC call.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    listening.setblocking(False)
    return listening


@asynccontextmanager
async def _serving(app: App, sock: socket.socket) -> AsyncIterator[None]:
    """Sanic in this loop: what ``app.run`` does, taken apart."""
    made = await app.create_server(sock=sock, return_asyncio_server=True, access_log=False)
    assert made is not None
    server: Any = made  # its methods have no types
    await server.startup()
    await server.before_start()
    await server.after_start()
    try:
        yield
    finally:
        await server.before_stop()
        await server.close()
        await server.after_stop()
        Sanic._app_registry.pop(app.name, None)
