"""The gRPC door under attack: every text of every operation, and metadata; others are served."""

import itertools
import logging
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import betterproto
import pytest
import pytest_asyncio
from arcana_protos.auth import RegisterRequest

from tests.hostile.test_naughty_strings import STRINGS
from tests.support.databases import fresh_database
from tests.support.doors import Answer
from tests.support.live import Live
from tests.support.operations import OPERATIONS, Operation
from tests.support.peer import Peer, asked, peer
from tests.support.people import Person
from tests.support.rpc_fuzz import TELLING, check

EVERY = 6
"""Of the strings each field gets one in so many, and the next field the next ones."""
OFFERED = [operation for operation in OPERATIONS.values() if operation.rpc]
METADATA = [
    "authorization",
    "x-request-id",
    "if-match",
    "idempotency-key",
    "x-forwarded-for",
    "user-agent",
    "grpc-timeout",
    "grpc-encoding",
    "traceparent",
    "content-type",
    "x-odd-bin",
]


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def admin(running: Live) -> Person:
    await running.reset()
    return await running.people.signed_in("Root", "admin")


def texts(operation: Operation) -> list[str]:
    """The names of the text fields of its message, as REST has them."""
    ours = {theirs: name for name, theirs in operation.renamed.items()}
    found = fields(operation.request)  # type: ignore[arg-type]  # each is a dataclass
    names = [
        f.name for f in found if f.metadata["betterproto"].proto_type == betterproto.TYPE_STRING
    ]
    return [ours.get(name, name) for name in names]


FIELDS = [(operation.name, field) for operation in OFFERED for field in texts(operation)]


def test_there_are_fields_enough_for_every_string() -> None:
    assert len(FIELDS) > 4 * EVERY


@pytest.mark.parametrize(("operation", "field"), FIELDS)
async def test_any_text_in_any_field_is_an_answer_and_never_a_bug(
    running: Live, admin: Person, operation: str, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    somebody = await running.people.make("Somebody")
    rest = good_arguments(operation, field, somebody)
    many = isinstance(getattr(OPERATIONS[operation].request(), field, ""), list)
    for text in STRINGS[FIELDS.index((operation, field)) % EVERY :: EVERY]:
        answer = await running.rpc.call(
            operation, bearer=admin.access, **rest, **{field: [text] if many else text}
        )
        assert_sound(answer, text)
    assert (await running.rpc.call("who_am_i", bearer=admin.access)).ok
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def good_arguments(operation: str, field: str, somebody: Person) -> dict[str, Any]:
    """Good values of the other fields, so that the one is looked at."""
    good: dict[str, Any] = {
        "id": somebody.id,
        "user_id": somebody.id,
        "email": somebody.email,
        "password": "correct horse battery",
        "status": "active",
    }
    return {n: good[n] for n in texts(OPERATIONS[operation]) if n in good and n != field}


def assert_sound(answer: Answer, text: str) -> None:
    assert answer.code not in ("internal", "unknown", "unavailable"), (text, answer)
    said = f"{answer.message} {answer.errors}" if not answer.ok else ""
    assert not TELLING.search(said), (text, answer)


@pytest.mark.parametrize("name", METADATA)
async def test_any_bytes_as_metadata_are_an_answer_and_others_are_served(
    running: Live, admin: Person, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = OPERATIONS["who_am_i"].rpc
    values = [text.encode("utf-8", "surrogatepass") for text in STRINGS[METADATA.index(name) :: 5]]
    good = ("authorization", f"Bearer {admin.access}")
    async with peer(running.rpc_port) as one:
        streams = itertools.count(1, 2)
        for value in [*values, b"", b"\0", b"a\r\nb: c", b"\xff" * 300, b"x" * 9000]:
            stream = next(streams)
            one.open(stream, [*asked(path, without=name), (name, value)], split=9000)
            one.data(stream)
            check(await one.answer(stream), (name, value))
            assert await status(one, next(streams), path, good) == "0"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def status(one: Peer, stream: int, path: str, header: tuple[str, str]) -> str:
    one.ask(stream, headers=asked(path, header))
    return await one.status(stream)


async def test_many_calls_at_once_on_one_connection_are_served_beside_bad_ones(
    running: Live, admin: Person
) -> None:
    path, good = OPERATIONS["who_am_i"].rpc, ("authorization", f"Bearer {admin.access}")
    async with peer(running.rpc_port) as one:
        for stream in range(1, 161, 4):
            one.ask(stream, headers=asked(path, good))
            one.ask(stream + 2, b"\0\0\0\0\x05\xff", asked(path, good))
        for stream in range(1, 161, 4):
            assert await one.status(stream) == "0"
            assert (await one.answer(stream + 2))["error-code"] == "malformed_message"


@pytest.mark.parametrize("behind", [b"\0\0", b"\0\xff\xff\xff\xff", b"\1\0\0\0\1x", None])
async def test_whoever_registers_with_more_than_one_message_is_nobody(
    running: Live, admin: Person, behind: bytes | None
) -> None:
    email = "more@example.com"
    said = bytes(RegisterRequest(name="More", email=email, password="correct horse battery"))
    whole = b"\0" + len(said).to_bytes(4, "big") + said
    async with peer(running.rpc_port) as one:
        one.ask(1, whole + (whole if behind is None else behind), asked(OPERATIONS["register"].rpc))
        assert await one.status(1) in ("12", "13")
    found = await running.rpc.call("list_users", bearer=admin.access, q=email)
    assert (found.ok, found.body["data"]) == (True, [])
