"""What one connection may take of the gRPC door, by a client that takes all it can get."""

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from arcana_protos.common import FieldError as Note
from h2.errors import ErrorCodes
from hyperframe.frame import (
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from service.transport.rpc.farewell import ANY_STREAM
from service.transport.rpc.limits import Limits, Rate
from service.transport.rpc.patience import Patience
from tests.support.frames import EMPTY
from tests.support.peer import ONE, Peer, asked, peer, until
from tests.support.probe import PROBE, Served, failure, serving

LIMITS = Limits()
QUICK = replace(LIMITS, look=0.02)
CALM = ErrorCodes.ENHANCE_YOUR_CALM
CUT, CLOSED = "Connection cut", "Connection closed"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


def holding(served: Served) -> asyncio.Event:
    """Make every call wait for the event."""
    gate = asyncio.Event()

    async def act(note: Note) -> Note:
        await gate.wait()
        return note

    served.probe.act = act
    return gate


def connections(served: Served) -> int:
    assert served.server._server is not None
    return len(served.server._server.connections)


def why(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(r)["why"] for r in caplog.records if r.message in (CUT, CLOSED)]


async def is_fine(served: Served) -> bool:
    """Whether others are served all the while."""
    return bool((await served.one()(Note(text="fine"), timeout=10)).text == "fine")


async def test_the_peer_is_told_the_limits_before_it_asks(served: Served) -> None:
    async with peer(served.server.port) as one:
        await until(lambda: bool(one.settings))
        assert one.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == LIMITS.streams
        assert one.settings[SettingsFrame.MAX_HEADER_LIST_SIZE] == LIMITS.headers
        assert one.settings[SettingsFrame.INITIAL_WINDOW_SIZE] == LIMITS.stream_window


async def test_calls_beyond_those_at_once_are_refused_so_that_clients_try_again() -> None:
    async with serving(limits=replace(LIMITS, streams=3)) as served:
        gate = holding(served)
        async with peer(served.server.port) as one:
            for stream in (1, 3, 5, 7, 9):
                one.ask(stream)
            await until(lambda: len(one.resets) == 2)
            assert one.resets == dict.fromkeys((7, 9), ErrorCodes.REFUSED_STREAM)
            gate.set()
            assert [await one.status(stream) for stream in (1, 3, 5)] == ["0"] * 3
            one.ask(11)
            assert await one.status(11) == "0"


async def test_a_client_that_cannot_count_is_let_go() -> None:
    async with serving(limits=replace(LIMITS, nuisances=Rate(200, 0.001))) as served:
        holding(served)
        async with peer(served.server.port) as one:
            for number in range(1000):
                one.open(2 * number + 1)
            await one.closed()
            assert one.codes == [CALM]
        await until(lambda: is_empty(served))


def is_empty(served: Served) -> bool:
    """Whether no call is left of those that a lost connection had."""
    return served.server._guard.running == 0


@pytest.mark.parametrize("held", [0, 1], ids=["answered", "running"])
async def test_rapid_resets_are_told_to_calm_down(held: int) -> None:
    async with serving(limits=replace(LIMITS, resets=Rate(50, 0.001))) as served:
        if held:
            holding(served)
        async with peer(served.server.port) as one:
            for number in range(60):
                one.ask(2 * number + 1)
                one.send(RstStreamFrame(2 * number + 1, error_code=ErrorCodes.CANCEL))
            await one.closed()
            assert one.codes == [CALM]
        await until(lambda: is_empty(served))
        served.probe.act = _echo
        assert await is_fine(served)


async def _echo(note: Note) -> Note:
    return note


async def test_some_calls_taken_back_are_nothing_special(served: Served) -> None:
    gate = holding(served)
    async with peer(served.server.port) as one:
        for number in range(100):
            one.ask(2 * number + 1)
            one.send(RstStreamFrame(2 * number + 1, error_code=ErrorCodes.CANCEL))
        gate.set()
        one.ask(301)
        assert await one.status(301) == "0"


PRIORITY = PriorityFrame(7, depends_on=3, stream_weight=1)
FLOODS: dict[str, Any] = {
    "pings": PingFrame(0, b"01234567"),
    "settings": SettingsFrame(0, settings={SettingsFrame.MAX_FRAME_SIZE: 16384}),
    "priorities": PRIORITY,
    "empty data": DataFrame(1, data=b""),
    "padded data": DataFrame(1, data=b"", pad_length=100, flags=["PADDED"]),
    "window updates": WindowUpdateFrame(0, window_increment=1),
    "windows of a call": WindowUpdateFrame(1, window_increment=1),
    "unknown frames": b"\0\0\x01\xfa\0\0\0\0\0x",
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_frames_that_carry_nothing_are_bounded(flood: str) -> None:
    async with serving(limits=replace(LIMITS, nuisances=Rate(200, 0.001))) as served:
        holding(served)
        async with peer(served.server.port) as one:
            one.open(1)
            one.send(*[FLOODS[flood]] * 400)
            await one.closed()
            assert one.codes == [CALM]


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_few_of_them_are_borne_with(served: Served, flood: str) -> None:
    async with peer(served.server.port) as one:
        one.open(1)
        one.send(*[FLOODS[flood]] * 100)
        one.data(1)
        assert await one.status(1) == "0"
        one.ask(3)
        assert await one.status(3) == "0"
        assert one.codes == []


async def test_who_is_sent_much_may_give_leave_for_more_as_often() -> None:
    async with (
        serving(limits=replace(LIMITS, nuisances=Rate(100, 0.001))) as served,
        peer(served.server.port) as one,
    ):
        text = "x" * 4000
        for number in range(100):
            one.ask(2 * number + 1, framed(bytes(Note(text=text))))
            for frame in (WindowUpdateFrame(0), WindowUpdateFrame(2 * number + 1)):
                frame.window_increment = len(text) + 100
                one.send(frame)
        assert await one.status(199) == "0"
        assert one.codes == []


def framed(message: bytes) -> bytes:
    return b"\0" + struct.pack(">I", len(message)) + message


async def test_settings_of_ever_new_names_are_not_kept(served: Served) -> None:
    async with peer(served.server.port) as one:
        unheard_of = b"".join(struct.pack(">HI", name, 1) for name in range(0x100, 0x200))
        one.send(len(unheard_of).to_bytes(3, "big") + b"\x04\0\0\0\0\0" + unheard_of)
        await one.closed()
        assert one.codes == [CALM]


async def test_a_peer_can_not_make_us_remember_more_headers(served: Served) -> None:
    async with peer(served.server.port) as one:
        one.send(SettingsFrame(0, settings={SettingsFrame.HEADER_TABLE_SIZE: 2**31}))
        one.decoder.max_allowed_table_size = 2**31
        one.ask(1)
        assert await one.status(1) == "0"
        assert one.decoder.header_table_size <= 4096


@pytest.mark.parametrize("size", [LIMITS.headers, 3 * LIMITS.headers])
async def test_headers_beyond_the_limit_are_refused_by_call(served: Served, size: int) -> None:
    async with peer(served.server.port) as one:
        one.open(1, asked(ONE, ("x-long", "y" * size)), split=16_000)
        one.data(1)
        answer = await one.answer(1)
        assert (answer["grpc-status"], answer["error-code"]) == ("8", "too_large")
        one.ask(3)
        assert await one.status(3) == "0"


async def test_headers_far_beyond_it_end_the_connection(served: Served) -> None:
    async with peer(served.server.port) as one:
        one.open(1, asked(ONE, *((f"x-{n}", "y" * 1000) for n in range(80))), split=16000)
        await one.closed()
        assert one.codes == [CALM]


async def test_a_header_bomb_ends_the_connection(served: Served) -> None:
    async with peer(served.server.port) as one:
        one.encoder.encode([("x", "y" * 3900)])
        block = one.encoder.encode([*asked(), *[("x", "y" * 3900)] * 1000])
        assert len(block) < 10_000
        one.send(HeadersFrame(1, data=block, flags=["END_HEADERS"]))
        await one.closed()


async def test_continuations_without_end_end_the_connection(served: Served) -> None:
    async with peer(served.server.port) as one:
        one.open(1, asked(ONE, ("x-long", "y" * 300)), split=1)
        await one.closed()
        assert one.codes == [ErrorCodes.PROTOCOL_ERROR]


async def test_a_header_block_in_some_pieces_is_read(served: Served) -> None:
    async with peer(served.server.port) as one:
        one.open(1, split=20)
        one.data(1)
        assert await one.status(1) == "0"


async def test_a_message_in_frames_of_one_byte_is_read_and_takes_no_more_room(
    served: Served,
) -> None:
    message = framed(bytes(Note(text="x" * 3000)))
    async with peer(served.server.port) as one:
        one.open(1)
        one.send(*[DataFrame(1, data=message[at : at + 1]) for at in range(len(message))])
        one.data(1, b"")
        assert await one.status(1) == "0"
        assert one.bodies[1] == message


async def test_more_than_the_window_ends_the_connection() -> None:
    async with serving(limits=replace(LIMITS, stream_window=1000)) as served:
        holding(served)
        async with peer(served.server.port) as one:
            one.ask(1)
            one.open(3)
            one.data(3, EMPTY + b"x" * 2000, end=False)
            await one.closed()
            assert one.codes == [ErrorCodes.FLOW_CONTROL_ERROR]


async def test_what_nobody_reads_is_given_no_leave_for_more(served: Served) -> None:
    holding(served)
    async with peer(served.server.port) as one:
        one.open(1)
        one.data(1, EMPTY, end=False)
        await until(lambda: served.server._guard.running == 1)
        one.leaves = 0
        one.data(1, b"x" * 16_000, end=False)
        one.data(1, b"x" * 16_000, end=False)
        await asyncio.sleep(0.2)
        assert one.leaves == 0


async def test_large_messages_held_at_once_are_bounded_for_a_connection_and_for_all() -> None:
    limits = replace(LIMITS, claims=1 << 20, all_claims=3 << 19)
    async with serving(limits=limits) as served:
        async with peer(served.server.port) as one, peer(served.server.port) as other:
            part = b"\0" + struct.pack(">I", 700_000) + b"x" * 100
            for stream, by in ((1, one), (1, other)):
                by.open(stream)
                by.data(stream, part, end=False)
            await until(lambda: served.server._guard.running == 2)
            for by in (one, other):
                by.open(3)
                by.data(3, part, end=False)
                assert (await by.answer(3))["error-code"] == "unavailable"
            async with peer(served.server.port) as third:
                third.open(1)
                third.data(1, part, end=False)
                assert (await third.answer(1))["error-code"] == "unavailable"
                third.ask(3)
                assert await third.status(3) == "0"
        await until(lambda: served.server._guard.running == 0)
        assert await served.one()(Note(text="x" * 900_000))


@pytest.mark.parametrize("sent", [b"", b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
async def test_a_connection_that_never_greets_is_cut(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(limits=replace(QUICK, greeting=0.2)) as served:
        async with peer(served.server.port, greets=False, acknowledges=False) as one:
            one.send(sent)
            await one.closed()
        assert why(caplog) == ["no greeting"]


async def test_settings_that_are_not_acknowledged_end_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(limits=replace(QUICK, greeting=0.3)) as served:
        async with peer(served.server.port, acknowledges=False) as one:
            one.ask(1)
            assert await one.status(1) == "0"
            await one.closed()
        assert why(caplog) == ["no greeting"]


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\0\x01"])
async def test_what_is_no_http2_is_let_go_at_once(served: Served, sent: bytes) -> None:
    async with peer(served.server.port, greets=False) as one:
        one.send(sent)
        await one.closed()
    assert await is_fine(served)


async def test_an_idle_connection_is_told_to_go() -> None:
    async with (
        serving(limits=replace(QUICK, idle=0.3)) as served,
        peer(served.server.port) as one,
    ):
        one.ask(1)
        assert await one.status(1) == "0"
        await one.closed()
        assert one.last_ids == [ANY_STREAM, 1]
        assert one.codes == [0, 0]


async def test_a_connection_of_an_official_client_that_idles_is_made_anew() -> None:
    async with serving(limits=replace(QUICK, idle=0.2)) as served:
        for _ in range(3):
            assert await is_fine(served)
            await until(lambda: connections(served) == 0)


async def test_an_old_connection_goes_without_failing_a_call() -> None:
    async with serving(limits=replace(QUICK, age=0.5)) as served:

        async def act(note: Note) -> Note:
            await asyncio.sleep(0.02)
            return note

        served.probe.act = act
        ends = asyncio.get_running_loop().time() + 2.5
        calls = 0
        while asyncio.get_running_loop().time() < ends:
            assert await is_fine(served)
            calls += 1
        assert calls > 10


async def test_a_connection_that_stays_all_the_same_is_cut(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(limits=replace(QUICK, age=0.2)) as served:
        holding(served)
        async with peer(served.server.port) as one:
            one.ask(1)
            await one.closed()
        assert why(caplog) == ["too old"]


async def test_who_says_nothing_while_it_has_calls_is_asked_and_then_cut(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(limits=replace(QUICK, quiet=0.1, pong=0.2)) as served:
        holding(served)
        async with peer(served.server.port, answers_pings=False) as one:
            one.ask(1)
            await one.closed()
            assert one.pings == 1
        assert why(caplog) == ["no sign of life"]


async def test_who_answers_that_it_lives_stays() -> None:
    async with serving(limits=replace(QUICK, quiet=0.1, pong=1)) as served:
        gate = holding(served)
        async with peer(served.server.port) as one:
            one.ask(1)
            await until(lambda: one.pings >= 3)
            gate.set()
            assert await one.status(1) == "0"


async def test_when_all_connections_have_calls_no_more_are_taken() -> None:
    async with serving(limits=replace(LIMITS, connections=2)) as served:
        gate = holding(served)
        async with peer(served.server.port) as one, peer(served.server.port) as other:
            for by in (one, other):
                by.ask(1)
            await until(lambda: served.server._guard.running == 2)
            async with peer(served.server.port) as third:
                await third.closed()
            gate.set()
            assert [await by.status(1) for by in (one, other)] == ["0", "0"]
        await until(lambda: connections(served) == 0)
        assert await is_fine(served)


async def test_when_there_are_too_many_connections_the_longest_idle_makes_room() -> None:
    async with (
        serving(limits=replace(LIMITS, connections=2)) as served,
        peer(served.server.port) as one,
        peer(served.server.port) as other,
    ):
        for by in (one, other):
            by.ask(1)
            assert await by.status(1) == "0"
        assert await is_fine(served)
        await one.closed()
        other.ask(3)
        assert await other.status(3) == "0"


async def test_an_answer_that_finds_no_room_ends_its_call_and_no_other() -> None:
    async with (
        serving(limits=replace(QUICK, stall=0.3)) as served,
        peer(served.server.port) as one,
    ):
        one.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
        one.ask(1)
        answer = await one.answer(1)
        assert (answer["grpc-status"], answer["error-code"]) == ("14", "stalled")
        one.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 65535}))
        one.ask(3)
        assert await one.status(3) == "0"


async def test_a_peer_that_does_not_read_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(limits=replace(QUICK, stall=0.3)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port, limit=1)
        deaf = Peer(reader, writer)
        window = {SettingsFrame.INITIAL_WINDOW_SIZE: 2**31 - 1}
        settings = SettingsFrame(0, settings=window)
        deaf.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings, SettingsFrame(0, flags=["ACK"]))
        deaf.send(WindowUpdateFrame(0, window_increment=2**30))
        headers = asked(PROBE + "Many")
        deaf.ask(1, framed(bytes(Note(text="100000", field="x" * 10_000))), headers)
        await until(lambda: "does not read" in why(caplog), 30)
        writer.transport.abort()
        await until(lambda: served.server._guard.running == 0)
        assert await is_fine(served)


async def test_a_late_deadline_of_the_callers_own_is_cut_to_ours() -> None:
    patience = Patience(longest=timedelta(milliseconds=200))
    async with serving(patience=patience) as served:
        holding(served)
        failed = await failure(served.one()(Note(), timeout=60))
        assert failed.status == "DEADLINE_EXCEEDED"
        assert failed.trailers["error-code"] == "deadline_exceeded"


async def test_a_stream_ends_when_it_is_old_and_clients_open_another() -> None:
    async with serving(patience=Patience(age=timedelta(milliseconds=200))) as served:
        holding(served)
        answers = served.many()(Note(text="1"))
        failed = await failure(answers.read())
        assert (failed.status, failed.trailers["error-code"]) == ("UNAVAILABLE", "stream_too_old")
        failed = await failure(served.many()(Note(text="1"), timeout=0.1).read())
        assert failed.status == "DEADLINE_EXCEEDED"
