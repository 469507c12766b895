"""Events in a stream of Redis, for whoever reads streams."""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from service.core.events import SCHEDULE, TYPE_PREFIX, SinkRefused, Told, cloud_event
from service.infra.cache.link import plain_client

TIMEOUT = 2.0
"""Seconds that Redis may take to answer, and to be connected to."""
AT_ONCE = 64
_CODE = re.compile(r"[A-Z]{2,32}\b")

Fields = dict[Any, Any]
"""Texts and bytes by name; redis-py asks for more, and a dict of less does not do."""
Entry = tuple[Fields, "asyncio.Future[None]"]


class StreamSink:
    """Adds each event to one stream, which keeps about the last ``length`` of them.

    An entry has three fields: ``id`` and ``type``, by which a reader knows what it may skip, and
    ``event``, the whole CloudEvent as JSON. What several lanes are told in the same moment goes in
    one round trip.
    """

    name = "redis"
    at_once = AT_ONCE
    schedule: Sequence[timedelta] = SCHEDULE

    def __init__(
        self, url: str, *, stream: str, length: int, source: str, timeout: float = TIMEOUT
    ) -> None:
        """``source`` is what the events' ``source`` says. Nothing is connected yet."""
        self._url, self._stream, self._length = url, stream, length
        self._source, self._timeout = source, timeout
        self._waiting: list[Entry] = []

    @cached_property
    def _redis(self) -> Redis:
        return plain_client(self._url, self._timeout, connections=4)

    def wants(self, told: Told) -> bool:
        """Everything."""
        return True

    async def take(self, told: Told) -> None:
        """Raises: SinkRefused."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._fields(told), done))
        if len(self._waiting) == 1:  # the first sends for all that are told in this moment
            await self._send_all()
        await done

    async def close(self) -> None:
        """Let go of the connections; harmless when there are none."""
        if "_redis" in self.__dict__:
            await self._redis.aclose()

    def _fields(self, told: Told) -> Fields:
        return {
            "id": str(told.id),
            "type": TYPE_PREFIX + told.type,
            "event": orjson.dumps(cloud_event(told, self._source)),
        }

    async def _send_all(self) -> None:
        entries: list[Entry] = []
        try:
            await asyncio.sleep(0)  # the others of this moment come in
            entries, self._waiting = self._waiting, []
            for (_, done), answer in zip(entries, await self._sent(entries), strict=True):
                _settle(done, answer)
        finally:
            if not entries:
                entries, self._waiting = self._waiting, []
            for _, done in entries:  # who sent was cancelled: nobody knows what became of them
                _settle(done, ConnectionError())

    async def _sent(self, entries: Sequence[Entry]) -> Sequence[Any]:
        """Redis's answer to each entry, an exception where it refused."""
        pipeline = self._redis.pipeline(transaction=False)
        for fields, _ in entries:
            pipeline.xadd(self._stream, fields, maxlen=self._length, approximate=True)
        try:
            async with asyncio.timeout(2 * self._timeout):
                return await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            return [error] * len(entries)


def _settle(done: "asyncio.Future[None]", answer: object) -> None:
    if done.done():
        return
    if not isinstance(answer, Exception):
        done.set_result(None)
        return
    is_refusal = isinstance(answer, ResponseError)
    done.set_exception(
        SinkRefused(f"redis refuses ({_code(answer)})" if is_refusal else "redis unavailable")
    )
    done.exception()  # seen: whoever waits may have left


def _code(error: Exception) -> str:
    """The code with which Redis begins an error, such as OOM; redis-py cuts some of them off."""
    found = _CODE.match(str(error))
    return found.group() if found else type(error).__name__
