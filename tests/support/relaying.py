"""A relay at work beside a service under test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from service.core.events import Sink
from service.events.relay import Relay
from service.events.repository import EventRepository
from service.infra.database import Database
from service.infra.leases import Leases
from tests.support.sinks import FixedSinks

TTL = timedelta(seconds=5)


@asynccontextmanager
async def relaying(database: Database, *sinks: Sink) -> AsyncIterator[Relay]:
    """Gives every event its position, and tells ``sinks`` of those that come from now on."""
    events = EventRepository()
    for sink in sinks:
        await events.progress(sink.name)
    leases = Leases(database, ttl=TTL)
    relay = Relay(events, database.transaction, leases, FixedSinks(list(sinks)))
    relay.start()
    try:
        yield relay
    finally:
        await relay.stop()
