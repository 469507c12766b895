"""``grpc.testing.TestService`` of the gRPC project's interoperability tests, at our own door.

Its messages are made here, of the fields that the cases use; names and numbers are the project's.
"""

import asyncio
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpclib import GRPCError
from grpclib.const import Cardinality, Handler, Status
from grpclib.events import SendTrailingMetadata
from grpclib.server import Stream

from service.transport.rpc.call import call

SERVICE = "/grpc.testing.TestService/"
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
_NUMBER, _TEXT, _BYTES = (
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_BYTES,
)
_FIELDS: dict[str, dict[str, tuple[int, Any]]] = {
    "Empty": {},
    "Payload": {"type": (1, _NUMBER), "body": (2, _BYTES)},
    "EchoStatus": {"code": (1, _NUMBER), "message": (2, _TEXT)},
    "SimpleRequest": {
        "response_size": (2, _NUMBER),
        "payload": (3, "Payload"),
        "response_status": (7, "EchoStatus"),
    },
    "SimpleResponse": {"payload": (1, "Payload")},
    "StreamingInputCallRequest": {"payload": (1, "Payload")},
    "StreamingInputCallResponse": {"aggregated_payload_size": (1, _NUMBER)},
    "ResponseParameters": {"size": (1, _NUMBER), "interval_us": (2, _NUMBER)},
    "StreamingOutputCallRequest": {
        "response_parameters": (2, ["ResponseParameters"]),
        "payload": (3, "Payload"),
        "response_status": (7, "EchoStatus"),
    },
    "StreamingOutputCallResponse": {"payload": (1, "Payload")},
}


def _messages() -> dict[str, Any]:
    file = FileDescriptorProto(name="interop.proto", package="grpc.testing", syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            made = message.field.add(name=field, number=number)
            many = isinstance(kind, list)
            made.label = made.LABEL_REPEATED if many else made.LABEL_OPTIONAL
            if isinstance(kind, int):
                made.type = kind
            else:
                made.type = made.TYPE_MESSAGE
                made.type_name = f".grpc.testing.{kind[0] if many else kind}"
    pool = DescriptorPool()
    pool.Add(file)
    names = {name: f"grpc.testing.{name}" for name in _FIELDS}
    return {n: GetMessageClass(pool.FindMessageTypeByName(full)) for n, full in names.items()}


M = _messages()


class TestService:
    """Does what the project's description of the cases asks of a server."""

    async def empty(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        await stream.send_message(M["Empty"]())

    async def unary(self, stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        assert request is not None
        _echo_initial()
        _echo_status(request)
        await stream.send_message(M["SimpleResponse"](payload=_payload(request.response_size)))

    async def streaming_input(self, stream: Stream[Any, Any]) -> None:
        size = sum([len(request.payload.body) async for request in stream])
        answer = M["StreamingInputCallResponse"](aggregated_payload_size=size)
        await stream.send_message(answer)

    async def streaming_output(self, stream: Stream[Any, Any]) -> None:
        await self._answer(stream, await stream.recv_message())

    async def full_duplex(self, stream: Stream[Any, Any]) -> None:
        _echo_initial()
        async for request in stream:
            _echo_status(request)
            await self._answer(stream, request)

    async def _answer(self, stream: Stream[Any, Any], request: Any) -> None:
        for wanted in request.response_parameters:
            await asyncio.sleep(wanted.interval_us / 1e6)
            answer = M["StreamingOutputCallResponse"](payload=_payload(wanted.size))
            await stream.send_message(answer)

    def __mapping__(self) -> dict[str, Handler]:
        one, many = Cardinality.UNARY_UNARY, Cardinality.STREAM_STREAM
        outputs = M["StreamingOutputCallRequest"], M["StreamingOutputCallResponse"]
        inputs = M["StreamingInputCallRequest"], M["StreamingInputCallResponse"]
        return {
            SERVICE + "EmptyCall": Handler(self.empty, one, M["Empty"], M["Empty"]),
            SERVICE + "UnaryCall": Handler(
                self.unary, one, M["SimpleRequest"], M["SimpleResponse"]
            ),
            SERVICE + "StreamingInputCall": Handler(
                self.streaming_input, Cardinality.STREAM_UNARY, *inputs
            ),
            SERVICE + "StreamingOutputCall": Handler(
                self.streaming_output, Cardinality.UNARY_STREAM, *outputs
            ),
            SERVICE + "FullDuplexCall": Handler(self.full_duplex, many, *outputs),
        }


async def echo_trailing(event: SendTrailingMetadata) -> None:
    """To be listened with: our handlers have no word in trailers."""
    if (value := call().metadata.get(TRAILING)) is not None:
        event.metadata[TRAILING] = value


def _echo_initial() -> None:
    if (value := call().metadata.get(INITIAL)) is not None:
        call().initial[INITIAL] = str(value)


def _echo_status(request: Any) -> None:
    wanted = request.response_status
    if wanted.code:
        raise GRPCError(Status(wanted.code), wanted.message)


def _payload(size: int) -> Any:
    return M["Payload"](body=bytes(size))
