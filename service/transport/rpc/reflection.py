"""Server reflection, v1 and v1alpha, over the descriptors that the compiler wrote."""

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2, status_pb2
from grpclib.const import Status
from grpclib.health.v1 import health_pb2
from grpclib.reflection.v1 import reflection_grpc, reflection_pb2
from grpclib.reflection.v1alpha import reflection_grpc as alpha_grpc
from grpclib.reflection.v1alpha import reflection_pb2 as alpha_pb2
from grpclib.utils import _service_name

from service.transport.rpc.guard import AnyStream, Servable

_OTHERS = (
    health_pb2,
    *(any_pb2, duration_pb2, status_pb2, error_details_pb2),
    *(reflection_pb2, alpha_pb2),
)
"""What is at this door and not of our own making; each after those that it imports."""


def with_reflection(handlers: Iterable[Servable]) -> list[Any]:
    """``handlers`` and the two reflection services that tell about them."""
    served, pool = list(handlers), descriptors()
    names = [_service_name(handler) for handler in served]
    return [*served, ReflectionV1(names, pool), ReflectionV1Alpha(names, pool)]


def descriptors() -> DescriptorPool:
    """Every message and service at this door, those of status details included.

    A pool of our own: a program that has the official stubs loaded too keeps them apart.
    """
    written = files("arcana_protos").joinpath("descriptors.binpb").read_bytes()
    pool = DescriptorPool()
    for file in [*FileDescriptorSet.FromString(written).file, *map(_described, _OTHERS)]:
        pool.Add(file)
    return pool


def _described(module: Any) -> FileDescriptorProto:
    file = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(file)
    return file


class _Reflection:
    """Answers what is asked of ``pool`` in the messages of ``pb``; both versions have the same.

    grpclib's own finds no method by its name, and does not say what it answers.
    """

    pb: Any

    def __init__(self, names: list[str], pool: Any) -> None:
        self._names, self._pool = names, pool

    async def ServerReflectionInfo(self, stream: AnyStream) -> None:
        async for request in stream:
            answer = self.pb.ServerReflectionResponse(
                valid_host=request.host, original_request=request
            )
            try:
                self._tell(request, answer)
            except KeyError:
                _refuse(answer, Status.NOT_FOUND, "not found")
            await stream.send_message(answer)

    def _tell(self, request: Any, answer: Any) -> None:
        """Raises: KeyError."""
        match request.WhichOneof("message_request"):
            case "file_by_filename":
                _attach(answer, self._pool.FindFileByName(request.file_by_filename))
            case "file_containing_symbol":
                _attach(answer, self._file_of(request.file_containing_symbol))
            case "file_containing_extension":
                asked = request.file_containing_extension
                extended = self._pool.FindMessageTypeByName(asked.containing_type)
                found = self._pool.FindExtensionByNumber(extended, asked.extension_number)
                _attach(answer, found.file)
            case "all_extension_numbers_of_type":
                self._tell_extensions(request.all_extension_numbers_of_type, answer)
            case "list_services":
                services = answer.list_services_response.service
                services.extend(self.pb.ServiceResponse(name=name) for name in self._names)
            case _:
                _refuse(answer, Status.INVALID_ARGUMENT, "invalid argument")

    def _file_of(self, symbol: str) -> Any:
        """Raises: KeyError."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:  # it does not look for methods
            return self._pool.FindMethodByName(symbol).containing_service.file

    def _tell_extensions(self, name: str, answer: Any) -> None:
        """Raises: KeyError."""
        extended = self._pool.FindMessageTypeByName(name)
        told = answer.all_extension_numbers_response
        told.base_type_name = extended.full_name
        told.extension_number.extend(one.number for one in self._pool.FindAllExtensions(extended))


def _attach(answer: Any, file: Any) -> None:
    described = FileDescriptorProto()
    file.CopyToProto(described)
    answer.file_descriptor_response.file_descriptor_proto.append(described.SerializeToString())


def _refuse(answer: Any, status: Status, message: str) -> None:
    answer.error_response.error_code = status.value
    answer.error_response.error_message = message


class ReflectionV1(_Reflection, reflection_grpc.ServerReflectionBase):
    """``grpc.reflection.v1``."""

    pb = reflection_pb2


class ReflectionV1Alpha(_Reflection, alpha_grpc.ServerReflectionBase):
    """``grpc.reflection.v1alpha``, which older tools ask."""

    pb = alpha_pb2
