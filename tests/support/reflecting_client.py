"""A client that knows only grpcio and what reflection tells; prints what it found as JSON.

A program of its own: grpclib and grpcio-reflection register the same messages in one pool, so no
process can import both.
"""

import json
import sys
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


def main(port: str, asked: str) -> None:
    wanted = json.loads(asked)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        known = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(known)
        found = {
            "services": list(known.get_services()),
            "files": [_file(channel, name) for name in wanted.get("files", [])],
            "messages": [_fields(pool, name) for name in wanted.get("messages", [])],
            "calls": [_call(channel, pool, *call) for call in wanted.get("calls", [])],
        }
    json.dump(found, sys.stdout)


def _file(channel: grpc.Channel, name: str) -> str:
    request = reflection_pb2.ServerReflectionRequest(file_by_filename=name)
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([request]))
    return str(answer.WhichOneof("message_response"))


def _fields(pool: DescriptorPool, name: str) -> dict[str, int]:
    return {f.name: f.number for f in pool.FindMessageTypeByName(name).fields}


def _call(
    channel: grpc.Channel, pool: DescriptorPool, service: str, method: str, fields: dict[str, Any]
) -> Any:
    described = pool.FindServiceByName(service).methods_by_name[method]
    request = GetMessageClass(described.input_type)(**fields)
    call = channel.unary_unary(
        f"/{service}/{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(described.output_type).FromString,
    )
    return MessageToDict(call(request, timeout=10))


if __name__ == "__main__":
    main(*sys.argv[1:])
