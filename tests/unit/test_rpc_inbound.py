"""How bytes become messages, whichever way they come in."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import Unavailable
from service.transport.purses import Purse
from service.transport.rpc.arrival import read_headers
from service.transport.rpc.faults import Fault, Malformed
from service.transport.rpc.inbound import Inbound, Inbox
from service.transport.rpc.limits import Allowance, Limits, Rate

LIMITS = replace(Limits(), message=1000, stream=3000)


async def told(pieces: list[bytes]) -> tuple[list[bytes], type[Exception] | None]:
    """The messages in ``pieces``, and what was wrong in the end."""
    inbox = Inbox(lambda size: None)
    read = Inbound(inbox.read, LIMITS, Purse(10_000), one_message=False)
    for piece in pieces:
        inbox.add(piece, len(piece))
    inbox.eof()
    messages = []
    try:
        while prefix := await read(5):
            messages.append(await read(int.from_bytes(prefix[1:], "big")))
    except Fault as fault:
        return messages, type(fault)
    return messages, None


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_are_the_same_messages_however_they_are_cut(sent: bytes, cuts: list[int]) -> None:
    at = sorted({min(cut, len(sent)) for cut in cuts})
    pieces = [sent[a:b] for a, b in zip([0, *at], [*at, len(sent)], strict=True)]

    async def both() -> None:
        whole = await told([sent])
        assert await told(pieces) == whole
        messages, fault = whole
        read = b"".join(b"\0" + len(m).to_bytes(4, "big") + m for m in messages)
        assert sent.startswith(read)
        assert (fault is None) is (read == sent)

    asyncio.run(both())


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40)), max_size=8))
def test_any_headers_are_read_or_refused_and_never_a_bug(headers: list[tuple[str, str]]) -> None:
    async def read() -> None:
        kept, arrived = read_headers(headers, 500)
        assert arrived.fault is not None or len(kept) >= len(headers)
        assert all(value.isascii() for _, value in kept)

    asyncio.run(read())


async def test_leave_for_more_is_given_once_for_each_byte_that_somebody_waited_for() -> None:
    given_: list[int] = []
    inbox = Inbox(given_.append)
    inbox.add(b"abc", 7)
    assert await inbox.read(2) == b"ab"
    assert given_ == []
    reading = asyncio.ensure_future(inbox.read(2))
    await asyncio.sleep(0)
    assert given_ == [7]
    inbox.add(b"d", 1)
    assert await reading == b"cd"
    inbox.add(b"e", 1)
    assert (inbox.unacked_size(), inbox.unacked_size()) == (2, 0)
    inbox.eof()
    with pytest.raises(Malformed):
        await inbox.read(2)


def test_what_a_wider_purse_refuses_is_not_taken_from_the_narrower() -> None:
    wide = Purse(10)
    one, other = Purse(8, wide), Purse(8, wide)
    one.take(6)
    with pytest.raises(Unavailable):
        other.take(5)
    with pytest.raises(Unavailable):
        one.take(3)
    assert (one.held, other.held, wide.held) == (6, 0, 6)
    one.give_back(6)
    other.take(8)


def test_an_allowance_never_saves_up_more_than_a_burst() -> None:
    allowed = Allowance(Rate(2, 1), now=0)
    assert [allowed.spend(100) for _ in range(3)] == [True, True, False]
    assert not allowed.spend(100.5)
    assert allowed.spend(103)
