"""Conversations with the gRPC door that no client has: random, and good ones gone wrong.

One number makes one conversation, so that what failed can be had again.
"""

import asyncio
import random
import re
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from arcana_protos.common import FieldError as Note
from hpack import Encoder

from tests.support.frames import PREFACE
from tests.support.peer import Peer, asked, peer
from tests.support.probe import PROBE

TELLING = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|/work/|/usr/|/root/|asyncpg|sqlite|tortoise|pydantic|"
    r"betterproto|grpclib|hpack|\bSELECT\b|\bINSERT\b|\bUPDATE\b|syntax error",
    re.IGNORECASE,
)
"""What no caller should read of what is inside."""
_PATHS = [
    *(PROBE + name for name in ("One", "Many", "Collect", "Both", "None")),
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]
_QUIET = 0.03
"""Seconds without news after which a conversation is over."""
_UNKNOWN, _INTERNAL = "2", "13"


def frame(kind: int, flags: int, stream: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags & 255, stream) + body


def conversation(seed: int) -> list[bytes]:
    """What to send, piece by piece."""
    dice = random.Random(seed)
    frames = _good(dice) if dice.random() < 0.8 else _random(dice)
    if dice.random() < 0.5:
        frames = _gone_wrong(dice, frames)
    start = [PREFACE, frame(4, 0, 0, b"")] if dice.random() < 0.95 else []
    sent = b"".join([*start, *frames])
    pieces = sorted(dice.randrange(len(sent) + 1) for _ in range(dice.choice((0, 0, 1, 5))))
    return [sent[a:b] for a, b in zip([0, *pieces], [*pieces, len(sent)], strict=True)]


def _good(dice: random.Random) -> list[bytes]:
    encoder, frames = Encoder(), []
    for number in range(dice.randint(1, 6)):
        stream = 2 * number + 1
        frames.append(frame(1, 4, stream, encoder.encode(_headers(dice))))
        frames += [frame(0, 0, stream, _message(dice)) for _ in range(dice.choice((0, 1, 1, 1, 2)))]
        frames.append(
            dice.choice([frame(0, 1, stream, b"")] * 7 + [frame(3, 0, stream, b"\0\0\0\x08")])
        )
        frames += _control(dice, stream) if dice.random() < 0.3 else []
    return frames


def _headers(dice: random.Random) -> list[tuple[str, str]]:
    headers = asked(dice.choice(_PATHS))
    odd = [
        ("grpc-timeout", dice.choice(["1S", "1n", "99999999H", "x", "-1S", "9" * 40 + "S"])),
        ("grpc-encoding", dice.choice(["gzip", "identity", "?"])),
        ("x-data-bin", dice.choice(["AAA", "!!", "A", "AAAA,,AAAA"])),
        ("authorization", dice.choice(["Bearer good", "Bearer", "Basic eA==", "\x7f" * 9])),
        ("x-request-id", dice.choice(["a", "a" * 200, "a\r\nb"])),
        ("x-forwarded-for", dice.choice(["1.2.3.4", "::", ",,,", "[" * 50])),
        ("content-type", dice.choice(["application/grpc+proto", "text/html", "application/grpc;"])),
        ("content-length", dice.choice(["5", "0", "x", "-1"])),
        (":path", dice.choice(["/", "", "*", "/a/b/c"])),
        (":method", dice.choice(["GET", "PUT", ""])),
        (_noise(dice, 6).decode("latin-1"), _noise(dice, 20).decode("latin-1")),
    ]
    extra = dice.sample(odd, dice.choice((0, 0, 0, 1, 2)))
    if dice.random() < 0.1:
        dice.shuffle(headers)
    return [*headers, *extra]


def _message(dice: random.Random) -> bytes:
    text = dice.choice(["", "2", "x" * 100, "x" * 9_000, "\N{PILE OF POO}" * 9])
    body = bytes(Note(field="f", text=text))
    if dice.random() < 0.1:
        body = _noise(dice, 40)
    flag = dice.choice([0] * 12 + [1, 7, 255])
    size = dice.choice([len(body)] * 25 + [0, 2**32 - 1, 2**22, 2**22 + 1, len(body) + 3])
    return bytes([flag]) + struct.pack(">I", size) + body


def _control(dice: random.Random, stream: int) -> list[bytes]:
    return [
        dice.choice(
            [
                frame(2, 0, stream, struct.pack(">IB", dice.choice([0, stream, 7]), 5)),
                frame(4, 0, 0, struct.pack(">HI", dice.randrange(12), dice.getrandbits(32))),
                frame(4, 1, 0, b""),
                frame(5, 4, stream, _noise(dice, 12)),
                frame(6, dice.randrange(2), 0, _noise(dice, 9)),
                frame(7, 0, 0, struct.pack(">II", dice.getrandbits(31), dice.randrange(14))),
                frame(8, 0, dice.choice([0, stream]), struct.pack(">I", dice.getrandbits(31))),
                frame(9, 4, stream, _noise(dice, 12)),
                frame(dice.randrange(10, 256), dice.getrandbits(8), stream, _noise(dice, 30)),
            ]
        )
        for _ in range(dice.randint(1, 4))
    ]


def _random(dice: random.Random) -> list[bytes]:
    def one() -> bytes:
        body = _noise(dice, dice.choice([0, 5, 60, 3000]))
        length = None if dice.random() < 0.9 else dice.getrandbits(24)
        stream = dice.choice([0, 1, 3, 5, 2, 2**31 - 1, dice.getrandbits(32)])
        return frame(dice.randrange(12), dice.getrandbits(8), stream, body, length)

    return [one() for _ in range(dice.randint(1, 30))]


def _gone_wrong(dice: random.Random, frames: list[bytes]) -> list[bytes]:
    wrongs: Sequence[Callable[[list[bytes]], object]] = [
        lambda f: f.append(f[dice.randrange(len(f))]),
        lambda f: f.pop(dice.randrange(len(f))) if len(f) > 1 else None,
        dice.shuffle,
        lambda f: f.extend([f[-1]] * 50),
        lambda f: _change(dice, f, lambda one: one[: dice.randrange(len(one) + 1)]),
        lambda f: _change(dice, f, lambda one: _flipped(dice, one)),
        lambda f: _change(dice, f, lambda one: _flipped(dice, one)),
        lambda f: _change(dice, f, lambda one: one + _noise(dice, 20)),
        lambda f: f.extend(_control(dice, 1)),
    ]
    for _ in range(dice.randint(1, 3)):
        dice.choice(wrongs)(frames)
    return frames


def _change(dice: random.Random, frames: list[bytes], how: Callable[[bytes], bytes]) -> None:
    at = dice.randrange(len(frames))
    frames[at] = how(frames[at])


def _flipped(dice: random.Random, one: bytes) -> bytes:
    changed = bytearray(one or b"\0")
    for _ in range(dice.randint(1, 4)):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _noise(dice: random.Random, at_most: int) -> bytes:
    return dice.randbytes(dice.randint(0, at_most))


@dataclass
class Outcome:
    """How conversations ended, counted."""

    answered: int = 0
    refused: int = 0
    closed: int = 0


async def converse(port: int, seed: int, outcome: Outcome) -> None:
    """Hold the conversation of ``seed``, and check whatever came back.

    Raises:
        AssertionError: an answer tells too much, or no code; or the server's frames are malformed.
    """
    async with peer(port, greets=False, acknowledges=False) as one:
        for piece in conversation(seed):
            one.send(piece)
            with suppress(ConnectionError):
                await one.writer.drain()
            await asyncio.sleep(0)
        await _quiet(one)
        assert one.broken is None, (seed, one.broken)
        for headers in one.answers.values():
            check(headers, seed)
            outcome.answered += headers.get("grpc-status") == "0"
            outcome.refused += headers.get("grpc-status", "0") != "0"
        outcome.closed += one.is_closed or any(one.codes)


async def _quiet(one: Peer) -> None:
    """Until the server has said all that it is going to say at once."""
    heard = -1
    with suppress(TimeoutError):
        async with asyncio.timeout(2):
            while one.heard != heard and not one.is_closed:
                heard = one.heard
                await asyncio.sleep(_QUIET)


def check(headers: dict[str, str], seed: object) -> None:
    """A refusal has a code, and no answer tells of what is inside."""
    status = headers.get("grpc-status", "0")
    assert not TELLING.search(str(headers)), (seed, headers)
    assert status != _UNKNOWN, (seed, headers)
    if status != "0":
        assert headers.get("error-code"), (seed, headers)
        assert headers.get("x-request-id"), (seed, headers)
    if status == _INTERNAL:
        assert headers["error-code"] == "malformed_message", (seed, headers)
    assert set(headers) & {"server", "via"} == set()
