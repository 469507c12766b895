"""The one wrapper around every method, whichever of the four kinds of call it serves."""

import asyncio
import logging
import time
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from grpclib.const import Cardinality, Handler, Status
from grpclib.server import Stream
from h2.exceptions import StreamClosedError

from service.core.errors import Unavailable
from service.transport.bugs import log_bug
from service.transport.rpc.answers import BUG_ANSWER, Answer, answer_to
from service.transport.rpc.arrival import arrival
from service.transport.rpc.call import Authenticate, Call, Metadata
from service.transport.rpc.faults import DeadlineExceeded, UnknownMethod

AnyStream = Stream[Any, Any]
ALWAYS = "/grpc.health.v1.Health/"
"""Health is answered also when the server is full or stopping."""
UNKNOWN = "/unknown/unknown"
"""Stands for every method that nobody serves; callers' own words do not go into the log."""

_LEFT = Answer(Status.CANCELLED, "cancelled", "The caller left.")
_access = logging.getLogger("arcana.access")


class Servable(Protocol):
    """A class of handlers, as the compiler makes them."""

    def __mapping__(self) -> dict[str, Handler]: ...


class Guard:
    """Gives each call its id, its deadline and one well-formed end, and writes one line about it.

    No exception of a handler passes it: a refusal is answered by the table, anything else is
    logged and answered bare.
    """

    def __init__(self, authenticate: Authenticate, *, timeout: timedelta, max_calls: int) -> None:
        self._authenticate, self._timeout = authenticate, timeout.total_seconds()
        self._max_calls, self._stopping = max_calls, False
        self.running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def around(self, served: Servable) -> Servable:
        """The same methods, each inside the guard."""
        methods = served.__mapping__()
        return _Mapped({path: self._inside(path, methods[path]) for path in methods})

    def _inside(self, path: str, handler: Handler) -> Handler:
        return handler._replace(func=partial(self._serve, path, handler))

    async def stop(self, grace: timedelta) -> None:
        """Refuse new calls, and wait up to ``grace`` for the running ones."""
        self._stopping = True
        try:
            await asyncio.wait_for(self._idle.wait(), grace.total_seconds())
        except TimeoutError:
            pass

    async def _serve(self, path: str, handler: Handler, stream: AnyStream) -> None:
        call = Call(path, stream.metadata or Metadata(), _address(stream), self._authenticate)
        call.begin()
        began, status = time.perf_counter(), Status.CANCELLED
        self._enter()
        try:
            status = await self._finish(call, stream, await self._outcome(call, handler, stream))
        finally:
            self._leave()
            _log(call, status, time.perf_counter() - began)

    async def _outcome(self, call: Call, handler: Handler, stream: AnyStream) -> Answer | None:
        """Run the method and end the call; how it failed, or None when it went well."""
        limit = asyncio.timeout_at(self._deadline(handler))
        try:
            async with limit:
                self._admit(call.method)
                await handler.func(stream)
            # a stream without items has no initial metadata to carry the id
            await stream.send_trailing_metadata(metadata={"x-request-id": call.request_id})
        except StreamClosedError:
            return _LEFT
        except Exception as error:  # noqa: BLE001  # none may pass
            failure = DeadlineExceeded() if limit.expired() else error
            return answer_to(failure) or _bug(error, call)
        return None

    def _deadline(self, handler: Handler) -> float | None:
        """The caller's own, or ours for calls with one answer; in the loop's time."""
        given = arrival().deadline
        if given is not None or any(handler.cardinality):
            return given
        return asyncio.get_running_loop().time() + self._timeout

    def _admit(self, method: str) -> None:
        """Raises: BadHeader, Unavailable."""
        if fault := arrival().fault:
            raise fault
        if method.startswith(ALWAYS):
            return
        if self._stopping or self.running > self._max_calls:
            raise Unavailable

    async def _finish(self, call: Call, stream: AnyStream, failed: Answer | None) -> Status:
        """End a call that failed; the status of it, or of the caller's leaving before."""
        if failed is None:
            return Status.OK
        try:
            await stream.send_trailing_metadata(
                status=failed.status,
                status_message=failed.message,
                status_details=failed.details(call.request_id),
                metadata=failed.trailers(call.request_id),
            )
        except StreamClosedError:
            return Status.CANCELLED
        return failed.status

    def _enter(self) -> None:
        self.running += 1
        self._idle.clear()

    def _leave(self) -> None:
        self.running -= 1
        if not self.running:
            self._idle.set()


class Unserved:
    """Answers for every method that nobody serves."""

    def __mapping__(self) -> dict[str, Handler]:
        return {UNKNOWN: Handler(self._refuse, Cardinality.STREAM_STREAM, None, None)}

    async def _refuse(self, stream: AnyStream) -> None:
        raise UnknownMethod


class _Mapped:
    def __init__(self, methods: dict[str, Handler]) -> None:
        self._methods = methods

    def __mapping__(self) -> dict[str, Handler]:
        return self._methods


def _address(stream: AnyStream) -> str:
    peer = stream.peer.addr()
    return peer[0].removeprefix("::ffff:") if isinstance(peer, tuple) else ""


def _bug(error: Exception, call: Call) -> Answer:
    log_bug(error, door="grpc", method=call.method, request_id=call.request_id)
    return BUG_ANSWER


def _log(call: Call, status: Status, seconds: float) -> None:
    method = "unknown" if call.method == UNKNOWN else call.method
    _access.info(
        "%s %s",
        method,
        status.name,
        extra={
            "door": "grpc",
            "method": method,
            "status": status.name,
            "duration_ms": round(seconds * 1000, 3),
            "request_id": call.request_id,
        },
    )
