"""The cases of the gRPC project's doc/interop-test-descriptions.md, with its own client."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any

import grpc
import pytest
from grpclib.events import SendTrailingMetadata, listen

from tests.support.interop import INITIAL, SERVICE, TRAILING, M, TestService, echo_trailing
from tests.support.probe import Served, failure, serving

SENT, ASKED = (27182, 8, 1828, 45904), (31415, 9, 2653, 58979)
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(handlers=[TestService()]) as running:
        assert running.server._server is not None
        listen(running.server._server, SendTrailingMetadata, echo_trailing)
        yield running


def method(served: Served, kind: str, name: str, asked: str, answered: str) -> Any:
    return getattr(served.channel, kind)(
        SERVICE + name,
        request_serializer=M[asked].SerializeToString,
        response_deserializer=M[answered].FromString,
    )


def empty(served: Served, name: str = "EmptyCall") -> Any:
    return method(served, "unary_unary", name, "Empty", "Empty")


def unary(served: Served) -> Any:
    return method(served, "unary_unary", "UnaryCall", "SimpleRequest", "SimpleResponse")


def streaming_input(served: Served) -> Any:
    names = "StreamingInputCallRequest", "StreamingInputCallResponse"
    return method(served, "stream_unary", "StreamingInputCall", *names)


def streaming_output(served: Served) -> Any:
    names = "StreamingOutputCallRequest", "StreamingOutputCallResponse"
    return method(served, "unary_stream", "StreamingOutputCall", *names)


def full_duplex(served: Served) -> Any:
    names = "StreamingOutputCallRequest", "StreamingOutputCallResponse"
    return method(served, "stream_stream", "FullDuplexCall", *names)


def payload(size: int) -> Any:
    return M["Payload"](body=bytes(size))


def wanting(*sizes: int, sent: int = 0, **more: Any) -> Any:
    parameters = [M["ResponseParameters"](size=size) for size in sizes]
    return M["StreamingOutputCallRequest"](
        response_parameters=parameters, payload=payload(sent), **more
    )


async def test_empty_unary(served: Served) -> None:
    assert await empty(served)(M["Empty"]()) == M["Empty"]()


async def test_large_unary(served: Served) -> None:
    request = M["SimpleRequest"](response_size=314159, payload=payload(271828))
    assert (await unary(served)(request)).payload.body == bytes(314159)


async def test_client_streaming(served: Served) -> None:
    requests = [M["StreamingInputCallRequest"](payload=payload(size)) for size in SENT]
    answer = await streaming_input(served)(iter(requests))
    assert answer.aggregated_payload_size == 74922


async def test_server_streaming(served: Served) -> None:
    answers = [a async for a in streaming_output(served)(wanting(*ASKED))]
    assert [len(answer.payload.body) for answer in answers] == list(ASKED)


async def test_ping_pong(served: Served) -> None:
    talk = full_duplex(served)()
    for sent, asked in zip(SENT, ASKED, strict=True):
        await talk.write(wanting(asked, sent=sent))
        assert len((await talk.read()).payload.body) == asked
    await talk.done_writing()
    assert await talk.read() is grpc.aio.EOF
    assert await talk.code() is grpc.StatusCode.OK


async def test_empty_stream(served: Served) -> None:
    talk = full_duplex(served)()
    await talk.done_writing()
    assert await talk.read() is grpc.aio.EOF
    assert await talk.code() is grpc.StatusCode.OK


async def test_custom_metadata(served: Served) -> None:
    metadata = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
    request = M["SimpleRequest"](response_size=314159, payload=payload(271828))
    answer = unary(served)(request, metadata=metadata)
    await answer
    talk = full_duplex(served)(metadata=metadata)
    await talk.write(wanting(314159, sent=271828))
    await talk.read()
    await talk.done_writing()
    for done in (answer, talk):
        assert dict(await done.initial_metadata())[INITIAL] == metadata[0][1]
        assert dict(await done.trailing_metadata())[TRAILING] == metadata[1][1]


@pytest.mark.parametrize("message", ["test status message", SPECIAL])
async def test_status_code_and_message(served: Served, message: str) -> None:
    status = M["EchoStatus"](code=2, message=message)
    failed = await failure(unary(served)(M["SimpleRequest"](response_status=status)))
    assert (failed.status, failed.message) == ("UNKNOWN", message)
    talk = full_duplex(served)()
    await talk.write(wanting(response_status=status))
    await talk.done_writing()
    failed = await failure(talk.read())
    assert (failed.status, failed.message) == ("UNKNOWN", message)


async def test_unimplemented_method(served: Served) -> None:
    failed = await failure(empty(served, "UnimplementedCall")(M["Empty"]()))
    assert (failed.status, failed.trailers["error-code"]) == ("UNIMPLEMENTED", "unimplemented")


async def test_unimplemented_service(served: Served) -> None:
    elsewhere = empty(served, "../grpc.testing.UnimplementedService/UnimplementedCall")
    assert (await failure(elsewhere(M["Empty"]()))).status == "UNIMPLEMENTED"


async def test_cancel_after_begin(served: Served) -> None:
    talk = streaming_input(served)()
    await asyncio.sleep(0.05)
    talk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talk
    assert await talk.code() is grpc.StatusCode.CANCELLED
    await is_empty(served)


async def test_cancel_after_first_response(served: Served) -> None:
    talk = full_duplex(served)()
    await talk.write(wanting(31415, sent=27182))
    await talk.read()
    talk.cancel()
    assert await talk.code() is grpc.StatusCode.CANCELLED
    await is_empty(served)


async def test_timeout_on_sleeping_server(served: Served) -> None:
    """By grpcio's client of threads: its async one says INTERNAL when time is up in a write."""

    def talk() -> grpc.StatusCode:
        with grpc.insecure_channel(f"127.0.0.1:{served.server.port}") as channel:
            method = channel.stream_stream(
                SERVICE + "FullDuplexCall",
                request_serializer=M["StreamingOutputCallRequest"].SerializeToString,
                response_deserializer=M["StreamingOutputCallResponse"].FromString,
            )
            with pytest.raises(grpc.RpcError) as failed:
                next(method(chain([wanting(sent=27182)], sleeping()), timeout=0.001))
            return failed.value.code()

    def sleeping() -> Iterator[Any]:
        over.wait(10)  # the caller's side stays open, too
        yield from ()

    over = threading.Event()
    try:
        assert await asyncio.to_thread(talk) is grpc.StatusCode.DEADLINE_EXCEEDED
    finally:
        over.set()
    await is_empty(served)


async def is_empty(served: Served) -> None:
    """Until the server has noticed that nobody waits."""
    async with asyncio.timeout(10):
        while served.server._guard.running:
            await asyncio.sleep(0.01)
