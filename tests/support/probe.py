"""A gRPC service of the tests' own, with a method of each of the four kinds, on a real server."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
from arcana_protos.common import FieldError as Note
from google.rpc.status_pb2 import Status as RpcStatus
from grpc_status.rpc_status import from_call
from grpclib.const import Cardinality, Handler
from grpclib.server import Stream

from service.core.access import Actor
from service.core.errors import Invalid, InvalidToken
from service.transport.rpc.server import RpcServer

NoteStream = Stream[Note, Note]
Act = Callable[[Note], Awaitable[Note]]
PROBE = "/test.Probe/"
ADA = Actor(roles=frozenset({"admin"}), address="", system=True)


async def _echo(note: Note) -> Note:
    return note


def _number(text: str) -> int:
    """Raises: Invalid."""
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise Invalid({"text": ["Must be a number."]})
    return int(text)


class Probe:
    """Answers with the field it was sent; ``act`` is awaited first and may do anything."""

    def __init__(self) -> None:
        self.act: Act = _echo
        self.left = asyncio.Event()

    async def one(self, stream: NoteStream) -> None:
        note = await stream.recv_message()
        assert note is not None
        await stream.send_message(await self.act(note))

    async def many(self, stream: NoteStream) -> None:
        note = await stream.recv_message()
        assert note is not None
        try:
            for _ in range(_number(note.text)):
                await stream.send_message(await self.act(note))
                await asyncio.sleep(0)  # the client lives in the same loop
        except asyncio.CancelledError:
            self.left.set()
            raise

    async def collect(self, stream: NoteStream) -> None:
        texts = [(await self.act(note)).text async for note in stream]
        await stream.send_message(Note(text="".join(texts)))

    async def both(self, stream: NoteStream) -> None:
        async for note in stream:
            await stream.send_message(await self.act(note))

    def __mapping__(self) -> dict[str, Handler]:
        kinds = {
            "One": (self.one, Cardinality.UNARY_UNARY),
            "Many": (self.many, Cardinality.UNARY_STREAM),
            "Collect": (self.collect, Cardinality.STREAM_UNARY),
            "Both": (self.both, Cardinality.STREAM_STREAM),
        }
        return {PROBE + name: Handler(*kind, Note, Note) for name, kind in kinds.items()}


@dataclass
class Ready:
    """A readiness that is what it was last set to."""

    value: bool = True

    async def __call__(self) -> bool:
        return self.value


@dataclass
class Served:
    """A running server with a Probe, and official clients to it."""

    server: RpcServer
    probe: Probe
    ready: Ready
    channel: grpc.aio.Channel
    authenticated: list[str] = field(default_factory=list)

    def one(self, path: str = PROBE + "One") -> Any:
        return self.channel.unary_unary(path, **_CODEC)

    def many(self) -> Any:
        return self.channel.unary_stream(PROBE + "Many", **_CODEC)

    def collect(self) -> Any:
        return self.channel.stream_unary(PROBE + "Collect", **_CODEC)

    def both(self) -> Any:
        return self.channel.stream_stream(PROBE + "Both", **_CODEC)


_CODEC: dict[str, Any] = {"request_serializer": bytes, "response_deserializer": Note().parse}


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Served]:
    """A server of a Probe on a free port. The token "good" is ADA's; any other is refused."""
    seen: list[str] = []

    async def authenticate(visitor: Actor, token: str) -> Actor:
        seen.append(token)
        if token != "good":
            raise InvalidToken
        return Actor(ADA.user_id, None, ADA.roles, visitor.address, system=True)

    probe, ready = Probe(), Ready()
    defaults = {"watch_every": timedelta(milliseconds=20), "authenticate": authenticate}
    handlers = [probe, *options.pop("handlers", ())]
    server = RpcServer(handlers, readiness=ready, **{**defaults, **options})
    await server.start("127.0.0.1", 0)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield Served(server, probe, ready, channel, seen)
    finally:
        await server.stop(timedelta(0))


@dataclass(frozen=True)
class Failure:
    """A failed call, as the official client saw it."""

    status: str
    message: str
    trailers: dict[str, Any]
    details: RpcStatus | None


async def failure(call: Awaitable[Any]) -> Failure:
    """How ``call`` failed."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return Failure(
            error.code().name,
            error.details() or "",
            dict(error.trailing_metadata() or ()),
            from_call(error),
        )
    raise AssertionError(f"the call went well: {answer}")


def doing(error: BaseException | type[BaseException]) -> Act:
    """An ``act`` that raises ``error``."""

    async def act(note: Note) -> Note:
        raise error

    return act


async def listed(answers: Any) -> Sequence[Note]:
    return [answer async for answer in answers]
