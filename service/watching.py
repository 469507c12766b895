"""How one worker is watched: its meter, its tracer, and who looks at the gauges."""

from collections.abc import Sequence, Sized
from functools import partial
from typing import TYPE_CHECKING

from config.settings import Settings
from service.core import metrics, tracing
from service.infra.cache import RedisCache
from service.infra.hashing import Argon2Hasher
from service.infra.telemetry.prometheus import meter_of_this_process
from service.infra.telemetry.sampler import Look, Sampler
from service.infra.telemetry.tracing import tracer_of
from service.transport.http.requests import App

if TYPE_CHECKING:
    from service.app import Outside


class Watching:
    """Metrics and traces of one process, from its start to its end; ``app`` if it has doors."""

    def __init__(self, settings: Settings, outside: "Outside", app: App | None = None) -> None:
        self._outside, self._app = outside, app
        self._sampler: Sampler | None = None
        self._tracer = tracer_of(settings.tracing, settings.otel_exporter_otlp_endpoint)

    def start(self) -> None:
        """Begin, once everything that is looked at is connected.

        The feed's first reading tells of old changes, whose age is nobody's delay.
        """
        if meter := meter_of_this_process():
            metrics.install(meter)
            self._outside.changes.on_delay = metrics.REVOCATION_DELAY.observe
            self._sampler = Sampler([*self._looks(), meter.settle])
            self._sampler.start()
        if self._tracer:
            tracing.install(self._tracer)

    async def stop(self) -> None:
        """Let go; spans not yet sent have a moment to leave."""
        if self._sampler:
            await self._sampler.stop()
            metrics.install(None)
        if self._tracer:
            tracing.install(None)
            await self._tracer.close()

    def _looks(self) -> Sequence[Look]:
        at_all = self._at_the_database, self._at_the_rest
        if self._app is None:
            return at_all
        return partial(self._at_the_doors, self._app), *at_all

    def _at_the_doors(self, app: App) -> None:
        context = app.ctx
        metrics.IN_FLIGHT.show(context.in_flight, "http")
        metrics.IN_FLIGHT.show(context.rpc.running, "grpc")
        connections: Sized = getattr(context, "connections", ())
        metrics.CONNECTIONS.show(len(connections), "http")
        metrics.CONNECTIONS.show(context.rpc.connections, "grpc")

    def _at_the_database(self) -> None:
        for state, count in self._outside.database.load._asdict().items():
            metrics.POOL.show(count, state)
        metrics.DATABASE_AWAY.show(self._outside.database.is_away)
        metrics.FEED_LAG.show(self._outside.changes.lag)

    def _at_the_rest(self) -> None:
        cache, hasher = self._outside.cache, self._outside.hasher
        if isinstance(cache, RedisCache):
            metrics.CACHE_AWAY.show(cache.is_away)
        if isinstance(hasher, Argon2Hasher):
            metrics.HASHING_QUEUE.show(hasher.load)
