"""Server reflection, v1 and v1alpha, over the descriptors that the compiler wrote."""

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpclib.health.v1 import health_pb2
from grpclib.reflection.service import ServerReflection

from service.transport.rpc.guard import Servable


def with_reflection(handlers: Iterable[Servable]) -> list[Any]:
    """``handlers`` and the two reflection services that tell about them."""
    return list(ServerReflection.extend(list(handlers), pool=descriptors()))


def descriptors() -> DescriptorPool:
    """Every message and service at this door.

    A pool of our own: a program that has the official stubs loaded too keeps them apart.
    """
    written = files("arcana_protos").joinpath("descriptors.binpb").read_bytes()
    pool = DescriptorPool()
    for file in [*FileDescriptorSet.FromString(written).file, _health()]:
        pool.Add(file)
    return pool


def _health() -> FileDescriptorProto:
    file = FileDescriptorProto()
    health_pb2.DESCRIPTOR.CopyToProto(file)
    return file
