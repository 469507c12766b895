"""The one wrapper around every method, whichever of the four kinds of call it serves."""

import asyncio
import time
from contextlib import nullcontext
from functools import lru_cache, partial
from typing import Any, Protocol

from grpclib.const import Cardinality, Handler, Status
from grpclib.server import Stream
from h2.exceptions import StreamClosedError

from service.core import tracing
from service.core.errors import Unavailable
from service.transport import access
from service.transport.addresses import Callers
from service.transport.bugs import log_bug
from service.transport.rpc.admission import Admission
from service.transport.rpc.answers import BUG_ANSWER, Answer, answer_to
from service.transport.rpc.arrival import arrival
from service.transport.rpc.call import Authenticate, Call, Metadata
from service.transport.rpc.faults import UnknownMethod
from service.transport.rpc.patience import Patience
from service.transport.rpc.vigil import vigil

AnyStream = Stream[Any, Any]
ALWAYS = "/grpc.health.v1.Health/"
"""Health is answered also when the server is full or stopping."""
UNKNOWN = "/unknown/unknown"
"""Stands for every method that nobody serves; callers' own words do not go into the log."""

_LAST_WORDS = 0.5
"""Seconds in which calls that are ended may still say so."""
_LEFT = Answer(Status.CANCELLED, "cancelled", "The caller left.")
_OUR_FAULT = {
    Status.UNKNOWN,
    Status.DEADLINE_EXCEEDED,
    Status.UNIMPLEMENTED,
    Status.INTERNAL,
    Status.UNAVAILABLE,
    Status.DATA_LOSS,
}
"""Statuses that OpenTelemetry's conventions call errors of the server."""


class Servable(Protocol):
    """A class of handlers, as the compiler makes them."""

    def __mapping__(self) -> dict[str, Handler]: ...


class Guard:
    """Gives each call its id, its deadline and one well-formed end, and writes one line about it.

    No exception of a handler passes it: a refusal is answered by the table, anything else is
    logged and answered bare.
    """

    def __init__(
        self, authenticate: Authenticate, *, patience: Patience, max_calls: int, callers: Callers
    ) -> None:
        self._authenticate, self._patience, self._callers = authenticate, patience, callers
        self._admission, self.refuses, self._ends = Admission(max_calls), False, False
        self._tasks: set[asyncio.Task[Any]] = set()

    def around(self, served: Servable) -> Servable:
        """The same methods, each inside the guard."""
        methods = served.__mapping__()
        return _Mapped({path: self._inside(path, methods[path]) for path in methods})

    def _inside(self, path: str, handler: Handler) -> Handler:
        return handler._replace(func=partial(self._serve, path, handler))

    @property
    def running(self) -> int:
        """How many calls are being served."""
        return len(self._tasks)

    def refuse(self) -> None:
        """Take no new calls; health is answered all the same."""
        self.refuses = True

    async def end_all(self) -> int:
        """End what still runs as UNAVAILABLE, which tells callers to try elsewhere; how many."""
        running, self._ends = list(self._tasks), True
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_LAST_WORDS)
        return len(running)

    async def _serve(self, path: str, handler: Handler, stream: AnyStream) -> None:
        metadata = stream.metadata or Metadata()
        call = Call(path, metadata, self._address(stream, metadata), self._authenticate)
        call.begin()
        began, status = time.perf_counter(), Status.CANCELLED
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with tracing.door(_context(call) if tracing.is_traced() else {}):
            try:
                failed = await self._outcome(call, handler, stream)
                call.code = failed.code if failed else access.OK
                status = await self._finish(call, stream, failed)
            finally:
                self._tasks.discard(task)
                _tell(call, status, time.perf_counter() - began)

    async def _outcome(self, call: Call, handler: Handler, stream: AnyStream) -> Answer | None:
        """Run the method and end the call; how it failed, or None when it went well."""
        limit = asyncio.timeout_at(self._patience.until(handler))
        try:
            async with limit:
                self._admit(call.method)
                with self._admission.place(call.method, handler):
                    async with vigil(call) if any(handler.cardinality) else nullcontext():
                        await handler.func(stream)
            # a stream without items has no initial metadata to carry the id
            await stream.send_trailing_metadata(metadata={"x-request-id": call.request_id})
        except StreamClosedError:
            return _LEFT
        except asyncio.CancelledError:
            if self._ends and self._is_ours():
                return answer_to(Unavailable())
            raise
        except Exception as error:  # noqa: BLE001  # none may pass
            failure = self._patience.over(handler) if limit.expired() else error
            return answer_to(failure) or _bug(error, call)
        return None

    @staticmethod
    def _is_ours() -> bool:
        """Whether nobody but ``end_all`` wants the running call to end."""
        task = asyncio.current_task()
        return task is not None and not task.uncancel()

    def _admit(self, method: str) -> None:
        """Raises: BadHeader, Unavailable."""
        if fault := arrival().fault:
            raise fault
        if method.startswith(ALWAYS):
            return
        if arrival().is_late or self.refuses:
            raise Unavailable

    def _address(self, stream: AnyStream, metadata: Metadata) -> str:
        peer = stream.peer.addr()
        forwarded = list(map(str, metadata.getall("x-forwarded-for", [])))
        return self._callers.address(peer[0] if isinstance(peer, tuple) else "", forwarded)

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


def _bug(error: Exception, call: Call) -> Answer:
    log_bug(error, door="grpc", method=call.method, request_id=call.request_id)
    return BUG_ANSWER


def _context(call: Call) -> dict[str, str]:
    """The caller's trace; metadata sent twice is malformed, and so ignored."""
    sent = {name: call.metadata.getall(name, []) for name in ("traceparent", "tracestate")}
    return {name: values[0] for name, values in sent.items() if len(values) == 1}


def _tell(call: Call, status: Status, seconds: float) -> None:
    method = access.UNKNOWN if call.method == UNKNOWN else call.method
    ended = access.Ended(
        door="grpc",
        operation=_operation(method),
        method=method,
        where="",
        status=status.name,
        code=call.code if status is not Status.CANCELLED else access.GONE,
        seconds=seconds,
        request_id=call.request_id,
        peer=call.address,
        actor=call.known,
    )
    access.tell(ended, _facts, ours=status in _OUR_FAULT)


@lru_cache(maxsize=256)
def _operation(method: str) -> str:
    """A method's name as REST spells its operation: GetUser is getUser."""
    name = method.rpartition("/")[2]
    return name[:1].lower() + name[1:]


def _facts(ended: access.Ended) -> tracing.Facts:
    """As OpenTelemetry's semantic conventions for gRPC name them."""
    service, _, method = ended.method.removeprefix("/").rpartition("/")
    return {
        "rpc.system": "grpc",
        "rpc.service": service,
        "rpc.method": method,
        "rpc.grpc.status_code": Status[str(ended.status)].value,
        "arcana.request_id": ended.request_id,
    }
