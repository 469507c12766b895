"""``grpc.health.v1``: whether this worker serves."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta

from grpclib.health.v1.health_grpc import HealthBase
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpclib.server import Stream

from service.core.errors import Unavailable
from service.transport.rpc.faults import UnknownService

Readiness = Callable[[], Awaitable[bool]]
"""Whether the service can do its work now; cheap, for every probe and watcher asks it."""
HealthStream = Stream[HealthCheckRequest, HealthCheckResponse]

_log = logging.getLogger("arcana.rpc")
_SERVING, _NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


class HealthRpc(HealthBase):
    """Tells the health of the whole ("") and of each service, which is the same."""

    def __init__(
        self, services: Collection[str], readiness: Readiness, *, every: timedelta
    ) -> None:
        self._services, self._readiness = {"", *services}, readiness
        self._every, self._announced = every.total_seconds(), False
        self._news, self._leaving = asyncio.Event(), False

    def announce(self) -> None:
        """Say from now on that nothing is served; watchers are told at once."""
        self._announced = True
        self._news.set()

    def let_go(self) -> None:
        """End every watch, so that watchers ask another worker."""
        self._leaving = True
        self._news.set()

    async def Check(self, stream: HealthStream) -> None:
        """Raises: UnknownService."""
        if await _asked(stream) not in self._services:
            raise UnknownService
        await stream.send_message(HealthCheckResponse(status=await self._status()))

    async def Watch(self, stream: HealthStream) -> None:
        """Tell the status now and whenever it changes.

        Raises:
            Unavailable: the server stops, so the watcher may ask another one.
        """
        known, told = await _asked(stream) in self._services, None
        while True:
            now = await self._status() if known else HealthCheckResponse.SERVICE_UNKNOWN
            if now != told:
                await stream.send_message(HealthCheckResponse(status=now))
                told = now
            if self._leaving:
                raise Unavailable
            await self._pause()

    async def _pause(self) -> None:
        """Until it is time to look again, or there is news."""
        if self._announced and not self._leaving:
            self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), self._every)
        except TimeoutError:
            pass

    async def _status(self) -> HealthCheckResponse.ServingStatus.ValueType:
        if self._announced:
            return _NOT_SERVING
        ready = await self._ready()
        return _SERVING if ready and not self._announced else _NOT_SERVING

    async def _ready(self) -> bool:
        try:
            return await self._readiness()
        except Exception as error:  # noqa: BLE001  # what cannot be asked is not ready
            _log.warning("Readiness unknown", extra={"error": type(error).__name__})
            return False


async def _asked(stream: HealthStream) -> str:
    request = await stream.recv_message()
    return request.service if request else ""
