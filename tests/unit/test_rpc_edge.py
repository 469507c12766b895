"""What the gRPC door does with requests that no well-made client sends."""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
from arcana_protos.common import FieldError as Note

from service.transport.rpc.limits import Limits
from tests.support.peer import asked, peer
from tests.support.probe import PROBE, Served, doing, failure, serving

HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", PROBE + "One"),
    (":authority", "a"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
]
EMPTY = b"\0\0\0\0\0"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


async def raw(
    served: Served,
    body: bytes = EMPTY,
    *,
    extra: tuple[tuple[str, str], ...] = (),
    without: str = "",
    path: str = PROBE + "One",
    end: bool = True,
) -> dict[str, str]:
    """What comes back for the bytes given, header by header; within two seconds or never."""
    config = h2.config.H2Configuration(
        validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding="utf-8"
    )
    connection = h2.connection.H2Connection(config)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
    connection.initiate_connection()
    headers = [(n, path if n == ":path" else v) for n, v in HEADERS if n != without]
    connection.send_headers(1, [*headers, *extra])
    connection.send_data(1, body, end_stream=end)
    writer.write(connection.data_to_send())
    try:
        async with asyncio.timeout(2):
            return await _headers(reader, connection)
    finally:
        writer.close()


async def _headers(reader: asyncio.StreamReader, connection: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                found.update({str(n): str(v) for n, v in event.headers or []})
            if isinstance(event, h2.events.StreamEnded):
                return found
    return {**found, "closed": "yes"}


async def test_a_plain_request_goes_well(served: Served) -> None:
    assert (await raw(served))["grpc-status"] == "0"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\0\0\0\0\2\xff\xff", id="not a message"),
        pytest.param(b"\0\0\0\0\3\x0a\1\xff", id="bad utf-8"),
        pytest.param(b"\0\0\0\0\3\x0a\x09a", id="field longer than the message"),
        pytest.param(b"\0\0\0\0\x09ab", id="message cut short"),
        pytest.param(b"\0\0\0\0\x09", id="message missing after its prefix"),
        pytest.param(b"\0\0\0", id="prefix cut short"),
        pytest.param(EMPTY + b"\0\0", id="prefix cut short behind a message"),
    ],
)
async def test_a_malformed_message_is_the_callers_fault_and_no_trace_back(
    served: Served, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = await raw(served, body)
    assert (answer["grpc-status"], answer["error-code"]) == ("13", "malformed_message")
    assert "x-request-id" in answer
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("path", [PROBE + "One", PROBE + "Many", "/grpc.health.v1.Health/Check"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(EMPTY + EMPTY, id="two messages"),
        pytest.param(EMPTY + b"\0\xff\xff\xff\xff", id="another of 4 GB"),
        pytest.param(EMPTY + b"\1\0\0\0\0", id="another that is compressed"),
    ],
)
async def test_a_method_of_one_message_does_nothing_for_none_or_two(
    served: Served, path: str, body: bytes
) -> None:
    served.probe.act = doing(AssertionError("it acted"))
    answer = await raw(served, body, path=path)
    assert (answer["grpc-status"], answer["error-code"]) == ("12", "unimplemented")


async def test_a_method_of_one_message_waits_until_the_caller_says_that_this_was_all(
    served: Served,
) -> None:
    acted = asyncio.Event()

    async def act(note: Note) -> Note:
        acted.set()
        return note

    served.probe.act = act
    async with peer(served.server.port) as one:
        one.open(1)
        one.data(1, end=False)
        one.ask(3, headers=asked("/grpc.health.v1.Health/Check"))
        assert await one.status(3) == "0"
        assert not acted.is_set()
        one.data(1, b"", end=True)
        assert await one.status(1) == "0"
        one.open(5)
        one.data(5, end=False)
        one.open(5, [("x-trailer", "a")], end=True)
        assert await one.status(5) == "0"


async def test_a_caller_that_never_says_so_is_answered_at_its_deadline(served: Served) -> None:
    served.probe.act = doing(AssertionError("it acted"))
    answer = await raw(served, extra=(("grpc-timeout", "100m"),), end=False)
    assert (answer["grpc-status"], answer["error-code"]) == ("4", "deadline_exceeded")


async def test_a_compressed_message_is_not_supported(served: Served) -> None:
    answer = await raw(served, b"\1\0\0\0\0", extra=(("grpc-encoding", "gzip"),))
    assert (answer["grpc-status"], answer["error-code"]) == ("12", "compressed")
    assert answer["grpc-accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("flag", "encoding"), [(1, None), (1, "identity"), (2, "gzip"), (3, "gzip"), (255, None)]
)
async def test_a_flag_that_no_encoding_explains_is_malformed(
    served: Served, flag: int, encoding: str | None
) -> None:
    extra = (("grpc-encoding", encoding),) if encoding else ()
    answer = await raw(served, bytes([flag, 0, 0, 0, 0]), extra=extra)
    assert (answer["grpc-status"], answer["error-code"]) == ("13", "malformed_message")


async def test_an_encoding_that_no_message_uses_is_no_fault(served: Served) -> None:
    answer = await raw(served, extra=(("grpc-encoding", "gzip"),))
    assert (answer["grpc-status"], answer["grpc-accept-encoding"]) == ("0", "identity")


async def test_a_large_message_is_refused_at_its_prefix(served: Served) -> None:
    prefix = b"\0" + struct.pack(">I", (4 << 20) + 1)
    answer = await raw(served, prefix, end=False)
    assert (answer["grpc-status"], answer["error-code"]) == ("8", "too_large")


async def test_a_message_of_just_the_limit_is_read(served: Served) -> None:
    text = "x" * ((4 << 20) - 5)
    answer = await served.one()(Note(text=text))
    assert len(answer.text) == len(text)
    too_much = await failure(served.one()(Note(text=text + "x")))
    assert too_much.status == "RESOURCE_EXHAUSTED"


async def test_a_call_that_sends_too_much_in_all_is_refused() -> None:
    async with serving(limits=Limits(message=1000, stream=2000)) as served:
        notes = iter([Note(text="x" * 900)] * 3)
        assert (await failure(served.collect()(notes))).status == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("value", ["9" * 400 + "S", "999999999S", "-1S", "1", "S", "1s", "", "١S"])
async def test_a_malformed_deadline_is_refused(served: Served, value: str) -> None:
    answer = await raw(served, extra=(("grpc-timeout", value),))
    assert answer.get("grpc-status") == "3" or (not value.isascii() and answer["closed"])


async def test_the_longest_deadline_is_taken(served: Served) -> None:
    assert (await raw(served, extra=(("grpc-timeout", "99999999H"),)))["grpc-status"] == "0"


@pytest.mark.parametrize("value", ["0S", "1n", "0n"])
async def test_a_deadline_that_is_over_is_said_to_be(served: Served, value: str) -> None:
    async def act(note: Note) -> Note:
        await asyncio.sleep(5)
        return note

    served.probe.act = act
    answer = await raw(served, extra=(("grpc-timeout", value),))
    assert (answer["grpc-status"], answer["error-code"]) == ("4", "deadline_exceeded")


@pytest.mark.parametrize("value", ["!!!", "a", "ab=c"])
async def test_malformed_binary_metadata_is_refused(served: Served, value: str) -> None:
    answer = await raw(served, extra=(("x-bin", value),))
    assert (answer["grpc-status"], answer["error-code"]) == ("3", "invalid_request")


@pytest.mark.parametrize("value", ["AAA=", "AAA", "AA, AAAA", ""])
async def test_binary_metadata_may_come_in_each_allowed_form(served: Served, value: str) -> None:
    assert (await raw(served, extra=(("x-bin", value),)))["grpc-status"] == "0"


async def test_a_request_without_a_path_is_answered(served: Served) -> None:
    assert (await raw(served, without=":path"))["grpc-status"] == "12"


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ((":method", "GET"), "405", "method_not_allowed"),
        ((":method", None), "405", "method_not_allowed"),
        (("content-type", "application/json"), "415", "unsupported_media_type"),
        (("content-type", "application/grpc+json"), "415", "unsupported_media_type"),
        (("content-type", "application/grpcx"), "415", "unsupported_media_type"),
        (("content-type", None), "415", "unsupported_media_type"),
        (("te", "gzip"), "400", "invalid_request"),
        (("te", None), "400", "invalid_request"),
    ],
)
async def test_what_is_no_grpc_call_is_told_so_in_http(
    served: Served, changed: tuple[str, str | None], status: str, code: str
) -> None:
    name, value = changed
    extra = ((name, value),) if value else ()
    answer = await raw(served, extra=(*extra, ("x-request-id", "r-1")), without=name)
    assert (answer[":status"], answer["error-code"]) == (status, code)
    assert answer["grpc-status"] in {"3", "12"}
    assert answer["x-request-id"] == "r-1"


@pytest.mark.parametrize("kind", ["application/grpc+proto", "application/grpc; charset=utf-8"])
async def test_the_other_ways_to_write_the_content_type_are_taken(
    served: Served, kind: str
) -> None:
    answer = await raw(served, extra=(("content-type", kind),), without="content-type")
    assert answer["grpc-status"] == "0"


@pytest.mark.parametrize(
    "header",
    [
        ("x-name", "naïve"),
        ("x-name", "a\r\nb"),
        ("x-name", "a\0b"),
        ("x-name", "\x7f"),
        ("x name", "a"),
        ("X-Name", "a"),
        ("", "a"),
        (":path", PROBE + "Many"),
        (":path", PROBE + "One"),
        (":protocol", "websocket"),
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("x-name", " a"),
        ("x-name", "a "),
        ("x-name", "\ta"),
        ("x-name", "a\t"),
        ("x-name-bin", "AAAA "),
    ],
)
async def test_a_malformed_header_is_refused_and_the_connection_stays(
    served: Served, header: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = await raw(served, extra=(header,))
    assert (answer["grpc-status"], answer["error-code"]) == ("3", "invalid_request")
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("x-a", "b"), *asked()], id="a pseudo header behind another"),
        pytest.param([(":protocol", "websocket"), *asked()], id="an unknown pseudo header"),
        pytest.param(asked(without=":scheme"), id="no scheme"),
        pytest.param(asked(PROBE + "One", (":scheme", "ftp")), id="another scheme"),
        pytest.param(asked(PROBE + "One", (":authority", "a:b@c")), id="userinfo"),
    ],
)
async def test_malformed_pseudo_headers_are_refused_and_the_connection_stays(
    served: Served, headers: list[tuple[str, str]]
) -> None:
    served.probe.act = doing(AssertionError("it acted"))
    async with peer(served.server.port) as one:
        one.ask(1, headers=headers)
        answer = await one.answer(1)
        assert (answer["grpc-status"], answer["error-code"]) == ("3", "invalid_request")
        one.ask(3, headers=asked("/grpc.health.v1.Health/Check", (":scheme", "https")))
        assert await one.status(3) == "0"


async def test_spaces_within_a_value_are_its_own(served: Served) -> None:
    assert (await raw(served, extra=(("x-name", "a  b"),)))["grpc-status"] == "0"


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ("0", "13"),
        ("3", "13"),
        ("500", "13"),
        ("5, 5", "3"),
        ("-5", "3"),
        ("5 ", "3"),
        ("\u0665", "3"),
        ("", "3"),
        ("9" * 5000, "3"),
        ("5", "0"),
        ("005", "0"),
    ],
)
async def test_a_wrong_content_length_ends_its_call_and_no_other(
    served: Served, length: str, status: str
) -> None:
    async with peer(served.server.port) as one:
        one.open(1, asked(PROBE + "Both"))
        one.open(3, [*asked(), ("content-length", length)], split=9000)
        one.data(3, EMPTY[:2], end=False)
        one.data(3, EMPTY[2:])
        assert await one.status(3) == status
        one.data(1)
        assert await one.status(1) == "0"
        assert (one.codes, one.is_closed) == ([], False)


async def test_two_content_lengths_and_one_in_trailers_end_no_other_call(served: Served) -> None:
    async with peer(served.server.port) as one:
        one.ask(1, headers=[*asked(), ("content-length", "5"), ("content-length", "6")])
        assert await one.status(1) == "3"
        one.open(3)
        one.data(3, end=False)
        one.open(3, [("content-length", "x")], end=True)
        assert await one.status(3) == "0"
        one.ask(5)
        assert await one.status(5) == "0"


async def test_a_call_reset_before_it_began_leaves_nothing_behind(served: Served) -> None:
    config = h2.config.H2Configuration(header_encoding="utf-8")
    connection = h2.connection.H2Connection(config)
    _, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
    connection.initiate_connection()
    for stream in range(1, 41, 2):
        connection.send_headers(stream, HEADERS)
        connection.reset_stream(stream)
    writer.write(connection.data_to_send())
    await asyncio.sleep(0.1)
    (open_,) = served.server._server.connections  # type: ignore[union-attr]
    assert not open_.processor.streams
    assert served.server._guard.running == 0
    writer.close()


async def test_an_official_client_that_compresses_is_told_so(served: Served) -> None:
    call = served.one()(Note(text="x" * 1000), compression=grpc.Compression.Gzip)
    assert (await failure(call)).status == "UNIMPLEMENTED"
