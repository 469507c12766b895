"""Telling the other workers at once, through Redis. Nobody relies on it."""

import asyncio
import logging
import time
from collections.abc import Callable
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.infra.changes.rows import Change

log = logging.getLogger("arcana.changes")

_TIMEOUT = 1.0
_PING = 0.3
"""Seconds of silence after which the line is asked whether it lives."""
_SILENCE = 3.0
"""Seconds without a word, not even to a ping, after which the line is taken for dead."""
_PAUSE = 0.5
_WAITING = 10_000


class Bus:
    """Publishes changes, and hears those of others; both as well as it can.

    A message that is lost, late or told twice does no harm: the feed's poll finds every change.
    So nothing here waits for Redis but two tasks of its own, and what can't be sent is dropped.
    """

    def __init__(self, url: str, channel: str, hear: Callable[[Change], None]) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        self._channel, self._hear = channel, hear
        self._outgoing: asyncio.Queue[Change] = asyncio.Queue(_WAITING)
        self.is_listening = False
        self._heard_at = float("-inf")

    def heard_within(self, seconds: float) -> bool:
        """Whether the line said anything in the last ``seconds``, if only to a ping."""
        return time.monotonic() - self._heard_at < seconds

    def tell(self, change: Change) -> None:
        """Publish ``change`` soon, or never."""
        try:
            self._outgoing.put_nowait(change)
        except asyncio.QueueFull:
            return

    async def run(self) -> None:
        """Talk and listen until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._talk())
            both.create_task(self._listen())

    async def close(self) -> None:
        await self._redis.aclose()

    async def _talk(self) -> None:
        while True:
            changes = [await self._outgoing.get()]
            while not self._outgoing.empty():
                changes.append(self._outgoing.get_nowait())
            try:
                await self._redis.publish(self._channel, "\n".join(map(_written, changes)))
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(_PAUSE)

    async def _listen(self) -> None:
        while True:
            line = self._redis.pubsub()
            try:
                await self._follow(line)
            except (RedisError, OSError, TimeoutError) as error:
                if self.is_listening:
                    log.warning("the line to the other workers broke (%s)", type(error).__name__)
            finally:
                self.is_listening = False
                await line.aclose()  # type: ignore[no-untyped-call]  # redis-py's
            await asyncio.sleep(_PAUSE)

    async def _follow(self, line: PubSub) -> None:
        """Hear everything until Redis falls silent; a ping after each pause makes it speak."""
        await line.subscribe(self._channel)
        began = time.monotonic()
        while time.monotonic() - max(began, self._heard_at) < _SILENCE:
            message = await line.get_message(timeout=_PING)
            if message is None:
                await line.ping()
                continue
            self._heard_at = time.monotonic()
            self.is_listening = True
            if message["type"] == "message":
                for change in _read(message["data"]):
                    self._hear(change)
        raise TimeoutError


def _written(change: Change) -> str:
    return f"{change.id} {change.user_id} {change.kind} {change.at}"


def _read(data: bytes) -> list[Change]:
    try:
        return [_change(*line.split(" ")) for line in data.decode().split("\n")]
    except (ValueError, TypeError):
        return []  # not ours


def _change(number: str, user: str, kind: str, at: str = "") -> Change:
    """Release 0.2.0 does not say when."""
    return Change(int(number), UUID(user), kind, float(at) if at else time.time())
