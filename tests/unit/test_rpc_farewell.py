"""No call that was sent is lost when the gRPC server stops, whoever the client is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from arcana_protos.common import FieldError as Note
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from service.transport.rpc.farewell import ANY_STREAM
from tests.support.frames import observing
from tests.support.probe import PROBE, Served, failure, serving

LINGER, GRACE = timedelta(milliseconds=300), timedelta(seconds=10)
ONE = PROBE + "One"
GRPCLIB = "grpc-python-grpclib/0.4.9"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


@pytest.fixture
async def channel(served: Served) -> AsyncIterator[Channel]:
    async with Channel("127.0.0.1", served.server.port) as channel:
        yield channel


def slowly(seconds: float) -> Callable[[Note], Awaitable[Note]]:
    async def act(note: Note) -> Note:
        await asyncio.sleep(seconds)
        return note

    return act


async def running(served: Served, calls: int) -> None:
    async with asyncio.timeout(5):
        while served.server._guard.running < calls:
            await asyncio.sleep(0.01)


def stop(served: Served, grace: timedelta = GRACE, **how: bool) -> "asyncio.Future[int]":
    return asyncio.ensure_future(served.server.stop(grace, linger=LINGER, **how))


def ask(channel: Channel, text: str) -> "asyncio.Future[Note]":
    method = UnaryUnaryMethod(channel, ONE, Note, Note)
    return asyncio.ensure_future(method(Note(text=text), timeout=10))


@pytest.mark.parametrize("handover", [False, True], ids=["stop", "handover"])
async def test_calls_of_grpcio_under_way_are_answered(served: Served, handover: bool) -> None:
    served.probe.act = slowly(0.6)
    calls = [asyncio.ensure_future(served.one()(Note(text="done"))) for _ in range(10)]
    await running(served, 10)
    stopping = stop(served, handover=handover)
    assert {(await call).text for call in calls} == {"done"}
    assert await asyncio.wait_for(stopping, 5) == 0


@pytest.mark.parametrize("handover", [False, True], ids=["stop", "handover"])
async def test_calls_of_grpclib_under_way_are_answered(
    served: Served, channel: Channel, handover: bool
) -> None:
    served.probe.act = slowly(0.6)
    calls = [ask(channel, f"{n}") for n in range(10)]
    await running(served, 10)
    stopping = stop(served, handover=handover)
    assert [(await call).text for call in calls] == [f"{n}" for n in range(10)]
    assert await asyncio.wait_for(stopping, 5) == 0


async def test_a_call_that_crosses_the_signal_is_answered(served: Served, channel: Channel) -> None:
    await ask(channel, "connected")
    await served.one()(Note(text="connected"))
    stopping = stop(served)
    late = [ask(channel, "late"), asyncio.ensure_future(served.one()(Note(text="late")))]
    assert [(await call).text for call in late] == ["late", "late"]
    assert await asyncio.wait_for(stopping, 5) == 0


async def test_a_grpclib_client_that_never_pauses_is_refused_cleanly_and_goes(
    served: Served, channel: Channel
) -> None:
    async def chatter() -> Status:
        while True:
            try:
                await ask(channel, "again")
            except GRPCError as error:
                return error.status

    served.probe.act = slowly(0.02)
    talking = [asyncio.ensure_future(chatter()) for _ in range(4)]
    await running(served, 2)
    stopping = stop(served)
    assert set(await asyncio.gather(*talking)) == {Status.UNAVAILABLE}
    assert await asyncio.wait_for(stopping, 5) == 0


async def test_a_client_is_warned_first_and_told_the_last_stream_when_it_has_heard(
    served: Served,
) -> None:
    served.probe.act = slowly(0.5)
    async with observing(served.server.port) as observer:
        observer.answers_pings = False
        observer.call(1, ONE)
        await running(served, 1)
        stopping = stop(served)
        await until(lambda: observer.last_ids == [ANY_STREAM])
        observer.call(3, ONE)  # it has not seen the warning
        await running(served, 2)
        observer.answers_pings = True
        await until(lambda: len(observer.last_ids) == 2)
        assert observer.last_ids == [ANY_STREAM, 3]
        await until(lambda: observer.is_closed)
        assert observer.ended == {1, 3}
    assert await asyncio.wait_for(stopping, 5) == 0


async def test_a_client_that_breaks_on_goaway_is_told_once_and_when_it_is_quiet(
    served: Served,
) -> None:
    served.probe.act = slowly(0.5)
    async with observing(served.server.port) as observer:
        observer.call(1, ONE, agent=GRPCLIB)
        await running(served, 1)
        stopping = stop(served)
        await until(lambda: observer.ended == {1})
        assert observer.last_ids == []
        await until(lambda: observer.is_closed)
        assert observer.last_ids == [1]
    assert await asyncio.wait_for(stopping, 5) == 0


async def test_a_stream_that_outlives_the_grace_ends_with_a_status(served: Served) -> None:
    served.probe.act = slowly(0.05)
    answers = served.many()(Note(text="1000"))
    await answers.read()
    stopping = stop(served, timedelta(milliseconds=300))
    failed = await failure(_all_of(answers))
    assert (failed.status, failed.trailers["error-code"]) == ("UNAVAILABLE", "unavailable")
    assert await asyncio.wait_for(stopping, 5) == 1
    await asyncio.wait_for(served.probe.left.wait(), 5)


async def _all_of(answers: Any) -> None:
    while True:
        await answers.read()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)
