"""Starting, stopping, health and reflection of the gRPC server."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from arcana_protos.common import FieldError as Note
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpclib.health.v1 import health_pb2
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpclib.reflection.v1 import reflection_pb2 as reflection_v1
from grpclib.reflection.v1alpha import reflection_pb2 as reflection_v1alpha

from service.core.access import Actor
from service.transport.rpc.server import RpcServer
from tests.support.probe import PROBE, Probe, Ready, Served, failure, serving

LINGER = timedelta(milliseconds=300)
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
HEALTH = "/grpc.health.v1.Health/"
_CODEC: dict[str, Any] = {
    "request_serializer": HealthCheckRequest.SerializeToString,
    "response_deserializer": HealthCheckResponse.FromString,
}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


def check(served: Served, service: str = "") -> Any:
    return served.channel.unary_unary(HEALTH + "Check", **_CODEC)(
        HealthCheckRequest(service=service)
    )


def watch(served: Served, service: str = "") -> Any:
    return served.channel.unary_stream(HEALTH + "Watch", **_CODEC)(
        HealthCheckRequest(service=service)
    )


@pytest.mark.parametrize("service", ["", "test.Probe"])
async def test_health_follows_readiness(served: Served, service: str) -> None:
    assert (await check(served, service)).status == SERVING
    served.ready.value = False
    assert (await check(served, service)).status == NOT_SERVING


async def test_health_of_no_such_service_is_not_found(served: Served) -> None:
    failed = await failure(check(served, "no.Such"))
    assert (failed.status, failed.trailers["error-code"]) == ("NOT_FOUND", "service_not_found")
    async for answer in watch(served, "no.Such"):
        assert answer.status == HealthCheckResponse.SERVICE_UNKNOWN
        break


async def test_a_watcher_is_told_of_each_change(served: Served) -> None:
    answers = watch(served)
    assert (await answers.read()).status == SERVING
    served.ready.value = False
    assert (await answers.read()).status == NOT_SERVING
    served.ready.value = True
    assert (await answers.read()).status == SERVING


async def test_readiness_that_cannot_be_asked_is_not_serving() -> None:
    class Broken(Ready):
        async def __call__(self) -> bool:
            raise OSError

    async def nobody(visitor: Actor, token: str) -> Actor:
        return visitor

    server = RpcServer([Probe()], authenticate=nobody, readiness=Broken())
    await server.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = channel.unary_unary(HEALTH + "Check", **_CODEC)
        assert (await call(HealthCheckRequest())).status == NOT_SERVING
    await server.stop()


async def test_health_is_answered_when_the_server_is_full_and_without_a_token() -> None:
    async with serving(max_calls=0) as served:
        headers = grpc.aio.Metadata(("authorization", "Basic rubbish"))
        call = served.channel.unary_unary(HEALTH + "Check", **_CODEC)
        assert (await call(HealthCheckRequest(), metadata=headers)).status == SERVING
        assert (await failure(served.one()(Note()))).status == "UNAVAILABLE"


async def sleep_a_little(note: Note) -> Note:
    await asyncio.sleep(0.3)
    return note


async def test_a_stop_finishes_what_runs_and_tells_watchers(served: Served) -> None:
    served.probe.act = sleep_a_little
    watching = watch(served)
    assert (await watching.read()).status == SERVING
    running = asyncio.ensure_future(served.one()(Note(text="done")))
    await until_running(served, 2)
    stopping = asyncio.ensure_future(served.server.stop(timedelta(seconds=5), linger=LINGER))
    assert (await watching.read()).status == NOT_SERVING
    assert (await check(served)).status == NOT_SERVING
    assert (await running).text == "done"
    assert await asyncio.wait_for(stopping, 3) == 0


async def test_before_a_stop_it_calls_itself_unhealthy_and_serves_on(served: Served) -> None:
    watching = watch(served)
    assert (await watching.read()).status == SERVING
    served.server.announce()
    assert (await watching.read()).status == NOT_SERVING
    assert (await check(served)).status == NOT_SERVING
    assert (await served.one()(Note(text="still"))).text == "still"
    assert not watching.done()


async def test_a_handover_does_not_call_the_service_unhealthy(served: Served) -> None:
    watching = watch(served)
    assert (await watching.read()).status == SERVING
    stopping = asyncio.ensure_future(
        served.server.stop(timedelta(seconds=5), linger=LINGER, handover=True)
    )
    assert (await failure(watching.read())).status == "UNAVAILABLE"
    assert await asyncio.wait_for(stopping, 3) == 0


async def test_a_stop_does_not_wait_longer_than_its_grace(served: Served) -> None:
    async def act(note: Note) -> Note:
        await asyncio.sleep(60)
        return note

    served.probe.act = act
    running = asyncio.ensure_future(failure(served.one()(Note())))
    await until_running(served, 1)
    await asyncio.wait_for(served.server.stop(timedelta(milliseconds=100)), 3)
    assert (await asyncio.wait_for(running, 3)).status == "UNAVAILABLE"
    assert served.server._guard.running == 0


async def test_a_stop_returns_although_a_quiet_client_stays_connected(served: Served) -> None:
    await served.one()(Note())
    await asyncio.wait_for(served.server.stop(timedelta(seconds=30)), 3)
    await served.server.stop()


async def until_running(served: Served, calls: int) -> None:
    async with asyncio.timeout(5):
        while served.server._guard.running < calls:
            await asyncio.sleep(0.01)


def new_server() -> RpcServer:
    async def nobody(visitor: Actor, token: str) -> Actor:
        return visitor

    return RpcServer([Probe()], authenticate=nobody, readiness=Ready())


async def answers_on(port: int) -> bool:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        one = channel.unary_unary(
            PROBE + "One", request_serializer=bytes, response_deserializer=Note().parse
        )
        return bool((await one(Note(text="here"))).text == "here")


async def test_it_serves_on_a_socket_that_somebody_else_made() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = new_server()
    await server.start(sock=listening)
    assert server.port == port
    assert await answers_on(port)
    await server.stop()


async def test_two_servers_may_share_a_port_when_both_say_so() -> None:
    first, second = new_server(), new_server()
    await first.start("127.0.0.1", 0, reuse_port=True)
    await second.start("127.0.0.1", first.port, reuse_port=True)
    assert await answers_on(second.port)
    await first.stop()
    assert await answers_on(second.port)
    await second.stop()


async def test_a_taken_port_is_an_os_error() -> None:
    first, second = new_server(), new_server()
    await first.start("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await second.start("127.0.0.1", first.port)
    await first.stop()


async def reflected(served: Served, **asked: Any) -> Any:
    """What a client finds that has grpcio and reflection, and nothing of ours."""
    client = "tests.support.reflecting_client"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", client, str(served.server.port), json.dumps(asked)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return json.loads(out)


async def test_reflection_alone_is_enough_to_build_and_make_a_call(served: Served) -> None:
    found = await reflected(
        served,
        messages=["arcana.user.GetUserRequest", "arcana.common.FieldError"],
        calls=[["grpc.health.v1.Health", "Check", {"service": ""}]],
    )
    assert found["services"] == ["test.Probe", "grpc.health.v1.Health"]
    assert found["messages"] == [{"id": 1}, {"field": 1, "text": 2}]
    assert found["calls"] == [{"status": "SERVING"}]


async def test_reflection_knows_every_file_and_says_which_it_does_not_know(served: Served) -> None:
    names = ["arcana/user.proto", "arcana/auth.proto", "arcana/role.proto", "arcana/common.proto"]
    imported = ["google/protobuf/timestamp.proto", "google/protobuf/empty.proto"]
    found = await reflected(served, files=[*names, *imported, "no/such.proto"])
    assert found["files"] == ["file_descriptor_response"] * 6 + ["error_response"]


VERSIONS = [("v1", reflection_v1), ("v1alpha", reflection_v1alpha)]


async def told(served: Served, version: str, pb: Any, *asked: Any) -> list[Any]:
    """The answers of reflection to requests of that version."""
    call = served.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=pb.ServerReflectionRequest.SerializeToString,
        response_deserializer=pb.ServerReflectionResponse.FromString,
    )
    return [answer async for answer in call(iter(asked))]


@pytest.mark.parametrize(("version", "pb"), VERSIONS)
async def test_reflection_is_there_in_both_versions(served: Served, version: str, pb: Any) -> None:
    request = pb.ServerReflectionRequest(list_services="*")
    (answer,) = await told(served, version, pb, request)
    assert "test.Probe" in [service.name for service in answer.list_services_response.service]


SYMBOLS = {
    "arcana.user.UserService": "arcana/user.proto",
    "arcana.user.UserService.GetUser": "arcana/user.proto",
    "arcana.user.GetUserRequest": "arcana/user.proto",
    "arcana.user.GetUserRequest.id": "arcana/user.proto",
    "arcana.order.OrderService.PayOrder": "arcana/order.proto",
    "arcana.common.Refusal": "arcana/common.proto",
    "google.rpc.ErrorInfo": "google/rpc/error_details.proto",
    "google.rpc.BadRequest.FieldViolation": "google/rpc/error_details.proto",
    "google.rpc.RetryInfo": "google/rpc/error_details.proto",
    "google.rpc.Status": "google/rpc/status.proto",
    "grpc.health.v1.Health.Check": health_pb2.DESCRIPTOR.name,
    "grpc.health.v1.HealthCheckResponse.SERVING": health_pb2.DESCRIPTOR.name,
    "grpc.reflection.v1.ServerReflection": reflection_v1.DESCRIPTOR.name,
    "grpc.reflection.v1alpha.ServerReflection": reflection_v1alpha.DESCRIPTOR.name,
}
UNKNOWN = ["", ".", "a\0b", "x" * 10_000, "arcana.user.UserService.", "arcana.user.UserService.No"]


@pytest.mark.parametrize(("version", "pb"), VERSIONS)
async def test_reflection_finds_every_kind_of_symbol_and_says_what_it_was_asked(
    served: Served, version: str, pb: Any
) -> None:
    asked = [
        pb.ServerReflectionRequest(host="a", file_containing_symbol=symbol)
        for symbol in [*SYMBOLS, *UNKNOWN]
    ]
    answers = await told(served, version, pb, *asked)
    assert [answer.original_request for answer in answers] == asked
    assert {answer.valid_host for answer in answers} == {"a"}
    known = answers[: len(SYMBOLS)]
    assert [named(answer) for answer in known] == list(SYMBOLS.values())
    assert {a.error_response.error_code for a in answers[len(SYMBOLS) :]} == {5}


def named(answer: Any) -> str:
    """The name of the one file in it."""
    (written,) = answer.file_descriptor_response.file_descriptor_proto
    return str(FileDescriptorProto.FromString(written).name)


@pytest.mark.parametrize(("version", "pb"), VERSIONS)
async def test_reflection_is_asked_for_extensions_and_for_nothing(
    served: Served, version: str, pb: Any
) -> None:
    message = "arcana.user.GetUserRequest"
    extension = {"containing_type": message, "extension_number": 1}
    asked = [
        pb.ServerReflectionRequest(all_extension_numbers_of_type=message),
        pb.ServerReflectionRequest(all_extension_numbers_of_type="no.such"),
        pb.ServerReflectionRequest(file_containing_extension=extension),
        pb.ServerReflectionRequest(),
    ]
    answers = await told(served, version, pb, *asked)
    assert answers[0].all_extension_numbers_response.base_type_name == message
    assert [answer.error_response.error_code for answer in answers[1:]] == [5, 5, 3]
