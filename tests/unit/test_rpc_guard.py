"""The guard around gRPC methods, over a real connection and with the official client."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from arcana_protos.common import FieldError as Note
from arcana_protos.common import Refusal as RefusalMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status.rpc_status import from_call
from grpclib import GRPCError
from grpclib.const import Handler, Status

from service.core.access import Actor
from service.core.errors import Forbidden, Invalid, InvalidToken, Kind, Limited, Refusal
from service.core.errors import Unavailable as ServiceUnavailable
from service.transport.errors import WIRE
from service.transport.rpc.call import actor, call, visitor
from service.transport.rpc.patience import Patience
from service.transport.rpc.vigil import EVERY
from tests.support.probe import (
    PROBE,
    Failure,
    NoteStream,
    Probe,
    Served,
    doing,
    failure,
    listed,
    serving,
)


def unpacked(failed: Failure, kind: type[Any]) -> Any:
    """The detail of ``kind`` among those of a failure."""
    assert failed.details is not None
    for detail in failed.details.details:
        message = kind()
        if detail.Unpack(message):
            return message
    return None


async def test_each_kind_of_call_passes_the_guard() -> None:
    async with serving() as served:
        note = Note(field="f", text="2")
        assert (await served.one()(note)).text == "2"
        assert [n.text for n in await listed(served.many()(note))] == ["2", "2"]
        assert (await served.collect()(iter([note, note]))).text == "22"
        assert [n.text for n in await listed(served.both()(iter([note, note])))] == ["2", "2"]


@pytest.mark.parametrize("kind", Kind)
async def test_every_kind_of_refusal_ends_with_the_status_of_the_table(kind: Kind) -> None:
    async with serving() as served:
        made = type("Made", (Refusal,), {"kind": kind, "code": "made_up", "message": "No."})
        served.probe.act = doing(made)
        failed = await failure(served.one()(Note()))
        assert (failed.status, failed.message) == (WIRE[kind].grpc.name, "No.")
        assert failed.trailers["error-code"] == "made_up"
        info = unpacked(failed, ErrorInfo)
        assert (info.reason, info.domain) == ("made_up", "arcana")


@pytest.mark.parametrize("method", ["one", "many", "collect", "both"])
async def test_a_refusal_ends_each_kind_of_call_alike(method: str) -> None:
    async with serving() as served:
        served.probe.act = doing(Forbidden)
        note = Note(text="1")
        request = note if method in ("one", "many") else iter([note])
        answers = getattr(served, method)()(request)
        failed = await failure(listed(answers) if method in ("many", "both") else answers)
        assert (failed.status, failed.trailers["error-code"]) == ("PERMISSION_DENIED", "forbidden")


async def test_a_refusal_after_some_answers_still_tells_its_code() -> None:
    async with serving() as served:
        sent: list[Note] = []

        async def act(note: Note) -> Note:
            if sent:
                raise Forbidden
            sent.append(note)
            return note

        served.probe.act = act
        failed = await failure(listed(served.many()(Note(text="3"))))
        assert failed.trailers["error-code"] == "forbidden"


async def test_invalid_fields_are_told_one_by_one() -> None:
    async with serving() as served:
        served.probe.act = doing(Invalid({"name": ["Too long.", "Odd."], "email": ["None."]}))
        failed = await failure(served.one()(Note()))
        told = [(v.field, v.description) for v in unpacked(failed, BadRequest).field_violations]
        assert told == [("name", "Too long."), ("name", "Odd."), ("email", "None.")]


async def test_our_own_detail_says_what_the_body_at_rest_says() -> None:
    async with serving() as served:
        served.probe.act = doing(Invalid({"name": ["Odd."]}))
        failed = await failure(served.one()(Note(), metadata=[("x-request-id", "r-1")]))
        assert failed.details is not None
        (ours,) = (d for d in failed.details.details if d.type_url.endswith("common.Refusal"))
        refusal = RefusalMessage().parse(ours.value)
        assert (refusal.code, refusal.request_id) == ("invalid_request", "r-1")
        assert [(e.field, e.text) for e in refusal.errors] == [("name", "Odd.")]


@pytest.mark.parametrize("refusal", [Limited, ServiceUnavailable])
async def test_who_is_to_wait_is_told_how_long(refusal: type[Limited]) -> None:
    async with serving() as served:
        served.probe.act = doing(refusal(timedelta(seconds=6.2)))
        failed = await failure(served.one()(Note()))
        assert failed.trailers["retry-after"] == "7"
        assert unpacked(failed, RetryInfo).retry_delay.seconds == 7


async def test_a_message_in_any_script_arrives_whole() -> None:
    async with serving() as served:
        served.probe.act = doing(Forbidden("Нельзя — 不行 100%"))
        assert (await failure(served.one()(Note()))).message == "Нельзя — 不行 100%"


async def test_a_bug_is_answered_bare_and_logged_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as served:
        served.probe.act = doing(ValueError("ada@example.com"))
        failed = await failure(served.one()(Note(), metadata=[("x-request-id", "r-9")]))
        assert (failed.status, failed.message) == ("INTERNAL", "internal")
        assert failed.trailers["error-code"] == "internal"
        written = [str(vars(record)) for record in caplog.records]
        assert any("ValueError" in text and "r-9" in text for text in written)
        assert not any("ada@example.com" in text for text in written)


async def test_an_error_of_a_handlers_own_keeps_its_status() -> None:
    async with serving() as served:
        served.probe.act = doing(GRPCError(Status.DATA_LOSS, "gone"))
        failed = await failure(served.one()(Note()))
        assert (failed.status, failed.message) == ("DATA_LOSS", "gone")
        assert failed.trailers["error-code"] == "data_loss"


async def test_a_time_out_inside_a_handler_is_a_bug_and_no_deadline() -> None:
    async with serving() as served:
        served.probe.act = doing(TimeoutError())
        assert (await failure(served.one()(Note()))).status == "INTERNAL"


async def test_the_callers_request_id_comes_back() -> None:
    async with serving() as served:
        answer = served.one()(Note(), metadata=[("x-request-id", "A.b_c-1")])
        await answer
        assert dict(await answer.initial_metadata())["x-request-id"] == "A.b_c-1"


@pytest.mark.parametrize("odd", ["", "a b", "x" * 129, "ada@example.com"])
async def test_an_odd_request_id_is_replaced(odd: str) -> None:
    async with serving() as served:
        served.probe.act = doing(Forbidden)
        failed = await failure(served.one()(Note(), metadata=[("x-request-id", odd)]))
        assert re.fullmatch(r"[0-9a-f-]{36}", failed.trailers["x-request-id"])


async def who(served: Served, *headers: tuple[str, str]) -> tuple[Actor, Actor]:
    """The actor and the visitor of a call with ``headers``."""
    seen: list[Actor] = []

    async def act(note: Note) -> Note:
        seen.extend([visitor(), await actor(), await actor()])
        return note

    served.probe.act = act
    await served.one()(Note(), metadata=headers)
    assert seen[1] is seen[2]
    return seen[1], seen[0]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_bearer_token_in_any_case_names_the_actor_once(scheme: str) -> None:
    async with serving() as served:
        known, nameless = await who(served, ("authorization", f"{scheme} good"))
        assert (known.has_role("admin"), nameless.is_signed_in) == (True, False)
        assert known.address == nameless.address == "127.0.0.1"
        assert served.authenticated == ["good"]


async def test_no_token_is_an_anonymous_actor_with_an_address_and_a_program() -> None:
    async with serving() as served:
        nameless = (await who(served))[0]
        assert nameless == Actor(address="127.0.0.1", agent=nameless.agent)
        assert nameless.agent.startswith("grpc-python-asyncio/")


@pytest.mark.parametrize(
    "values", [["Basic good"], ["Bearer"], ["Bearer a b"], ["good"], ["Bearer good"] * 2]
)
async def test_rubbish_for_a_token_is_an_invalid_token(values: list[str]) -> None:
    async with serving() as served:

        async def act(note: Note) -> Note:
            await actor()
            return note

        served.probe.act = act
        headers = [("authorization", value) for value in values]
        failed = await failure(served.one()(Note(), metadata=headers))
        assert (failed.status, failed.trailers["error-code"]) == (
            "UNAUTHENTICATED",
            InvalidToken.code,
        )
        assert served.authenticated == []


async def test_a_public_method_never_looks_at_the_token() -> None:
    async with serving() as served:

        async def act(note: Note) -> Note:
            return Note(text=visitor().address)

        served.probe.act = act
        answer = await served.one()(Note(), metadata=[("authorization", "Basic rubbish")])
        assert (answer.text, served.authenticated) == ("127.0.0.1", [])


async def sleeping(note: Note) -> Note:
    await asyncio.sleep(30)
    return note


async def test_the_callers_deadline_is_kept() -> None:
    async with serving() as served:
        ended = asyncio.Event()

        async def act(note: Note) -> Note:
            try:
                return await sleeping(note)
            finally:
                ended.set()

        served.probe.act = act
        failed = await failure(served.one()(Note(), timeout=0.1))
        assert failed.status == "DEADLINE_EXCEEDED"
        await asyncio.wait_for(ended.wait(), 2)


async def test_a_call_with_one_answer_has_a_deadline_even_when_the_caller_named_none() -> None:
    async with serving(patience=Patience(timeout=timedelta(milliseconds=50))) as served:
        served.probe.act = sleeping
        failed = await failure(served.one()(Note()))
        assert (failed.status, failed.trailers["error-code"]) == (
            "DEADLINE_EXCEEDED",
            "deadline_exceeded",
        )
        assert "x-request-id" in failed.trailers


async def test_a_stream_may_last_longer_than_that() -> None:
    async with serving(patience=Patience(timeout=timedelta(milliseconds=50))) as served:

        async def act(note: Note) -> Note:
            await asyncio.sleep(0.06)
            return note

        served.probe.act = act
        assert len(await listed(served.many()(Note(text="2")))) == 2


async def test_a_stream_ends_when_its_caller_leaves(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "arcana.access")
    async with serving() as served:
        answers = served.many()(Note(text="1000000"))
        async for _ in answers:
            break
        answers.cancel()
        await asyncio.wait_for(served.probe.left.wait(), 2)
        await asyncio.sleep(0)
    assert [vars(r)["status"] for r in caplog.records if r.name == "arcana.access"] == ["CANCELLED"]


async def test_one_call_too_many_is_told_to_come_again() -> None:
    async with serving(max_calls=2) as served:
        served.probe.act = sleeping
        running = [served.one()(Note()) for _ in range(2)]
        while served.server._guard.running < 2:
            await asyncio.sleep(0.01)
        failed = await failure(served.one()(Note()))
        assert (failed.status, failed.trailers["error-code"]) == ("UNAVAILABLE", "unavailable")
        for waiting in running:
            waiting.cancel()


async def test_each_call_writes_one_line_with_nothing_the_caller_typed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as served:
        headers = [("authorization", "Bearer canary-token"), ("x-request-id", "r-7")]
        await served.one()(Note(text="canary-text"), metadata=headers)
        await failure(served.one("/canary.Service/canary")(Note()))
    lines = [vars(record) for record in caplog.records if record.name == "arcana.access"]
    assert [(line["door"], line["method"], line["status"]) for line in lines] == [
        ("grpc", PROBE + "One", "OK"),
        ("grpc", "unknown", "UNIMPLEMENTED"),
    ]
    assert lines[0]["request_id"] == "r-7"
    assert all(0 <= line["duration_ms"] < 10_000 for line in lines)
    ours = [r for r in caplog.records if r.name.startswith(("arcana", "grpclib"))]
    assert "canary" not in "".join(str(vars(record)) for record in ours)


async def test_an_unknown_method_is_answered_like_any_refusal() -> None:
    async with serving() as served:
        failed = await failure(served.one("/no.Such/Method")(Note()))
        assert (failed.status, failed.trailers["error-code"]) == ("UNIMPLEMENTED", "unimplemented")
        assert "x-request-id" in failed.trailers


async def test_a_method_that_answers_nothing_is_a_bug() -> None:
    class Silent(Probe):
        async def one(self, stream: NoteStream) -> None:
            await stream.recv_message()

        def __mapping__(self) -> dict[str, Handler]:
            (handler,) = (h for path, h in super().__mapping__().items() if path.endswith("/One"))
            return {"/test.Silent/One": handler}

    async with serving(handlers=[Silent()]) as served:
        failed = await failure(served.one("/test.Silent/One")(Note()))
        assert (failed.status, failed.trailers["error-code"]) == ("INTERNAL", "internal")


async def test_what_a_handler_adds_goes_with_the_initial_metadata() -> None:
    async with serving() as served:

        async def act(note: Note) -> Note:
            call().initial["etag"] = '"7"'
            return note

        served.probe.act = act
        answer = served.one()(Note())
        await answer
        assert dict(await answer.initial_metadata())["etag"] == '"7"'


def test_the_sync_client_reads_the_details_too() -> None:
    async def main() -> Failure:
        async with serving() as served:
            served.probe.act = doing(Forbidden)
            return await asyncio.to_thread(ask, served.server.port)

    def ask(port: int) -> Failure:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            one = channel.unary_unary(PROBE + "One", request_serializer=bytes)
            try:
                one(Note(), timeout=5)
            except grpc.RpcError as error:
                return Failure(error.code().name, "", {}, from_call(error))
        raise AssertionError

    failed = asyncio.run(main())
    assert (failed.status, unpacked(failed, ErrorInfo).reason) == ("PERMISSION_DENIED", "forbidden")


class Door:
    """Lets everybody in until it is shut."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def __call__(self, visitor: Actor, token: str) -> Actor:
        if self.failure is not None:
            raise self.failure
        return Actor(UUID(int=1), UUID(int=2), frozenset(), visitor.address)


@pytest.mark.parametrize(
    ("failure_", "status"),
    [
        (InvalidToken(), "UNAUTHENTICATED"),
        (ServiceUnavailable(), "UNAVAILABLE"),
        (RuntimeError("a bug"), "INTERNAL"),
    ],
)
@pytest.mark.parametrize("kind", ["many", "both"])
async def test_a_stream_ends_when_its_caller_would_no_longer_be_let_in(
    failure_: Exception, status: str, kind: str
) -> None:
    door = Door()
    async with serving(authenticate=door) as served:

        async def endless(note: Note) -> Note:
            await actor()
            if door.failure is not None:
                await asyncio.Event().wait()
            door.failure = failure_
            return note

        served.probe.act = endless
        given: Any = Note(text="2") if kind == "many" else asked_twice()
        stream = getattr(served, kind)()(given, metadata=[("authorization", "Bearer good")])
        async with asyncio.timeout(10):
            ended = await failure(listed(stream))
        assert ended.status == status


async def asked_twice() -> AsyncIterator[Note]:
    yield Note(text="1")
    yield Note(text="1")
    await asyncio.sleep(30)


async def test_a_stream_without_a_caller_is_left_alone() -> None:
    door = Door()
    async with serving(authenticate=door) as served:

        async def slow(note: Note) -> Note:
            door.failure = InvalidToken()
            await asyncio.sleep(4 * EVERY)
            return note

        served.probe.act = slow
        assert len(await listed(served.many()(Note(text="1")))) == 1


async def test_a_caller_who_leaves_a_watched_stream_ends_it() -> None:
    left = asyncio.Event()

    async def endless(note: Note) -> Note:
        await actor()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return note

    async with serving(authenticate=Door()) as served:
        served.probe.act = endless
        stream = served.many()(Note(text="1"), metadata=[("authorization", "Bearer good")])
        await asyncio.sleep(2 * EVERY)
        stream.cancel()
        async with asyncio.timeout(10):
            await left.wait()


@pytest.mark.parametrize(
    ("trusted", "address"),
    [((), "127.0.0.1"), (("127.0.0.0/8",), "198.51.100.7"), (("10.0.0.0/8",), "127.0.0.1")],
)
async def test_only_a_trusted_proxy_is_believed_about_whom_it_speaks_for(
    trusted: tuple[str, ...], address: str
) -> None:
    async with serving(trusted_proxies=trusted) as served:
        headers = [("x-forwarded-for", "203.0.113.1"), ("x-forwarded-for", "198.51.100.7")]
        assert (await who(served, *headers))[1].address == address
