"""What hurts a gRPC server that has no limits, from one process against another."""

import asyncio
import json
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import grpc
import psutil  # type: ignore[import-untyped]  # it ships no types
from h2.errors import ErrorCodes
from hyperframe.frame import RstStreamFrame

from tests.support.peer import Peer, asked, peer, until

MIB = 1 << 20
GET_USER = "/arcana.user.UserService/GetUser"


@dataclass
class Memory:
    """Resident memory of a process in bytes, before and at the most."""

    before: int
    most: int = 0

    @property
    def grown(self) -> float:
        """In MiB."""
        return (self.most - self.before) / MIB


@asynccontextmanager
async def memory(pid: int) -> AsyncIterator[Memory]:
    """How the memory of a process grows meanwhile."""
    process = psutil.Process(pid)
    seen = Memory(process.memory_info().rss)

    async def watch() -> None:
        while True:
            seen.most = max(seen.most, process.memory_info().rss)
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        await asyncio.sleep(0.02)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def huge_message(port: int, size: int) -> str:
    """The status of a call with a message of ``size`` bytes, by the official client."""
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        call = channel.unary_unary(GET_USER, request_serializer=bytes)
        try:
            await call(b"\x0a" + bytes(size), timeout=60)
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
    return "OK"


async def announced(port: int, size: int, sent: int = 4 * MIB) -> dict[str, str]:
    """The answer to a message that is said to have ``size`` bytes, of which some are sent."""
    async with peer(port) as one:
        one.open(1, asked(GET_USER))
        one.data(1, b"\0" + struct.pack(">I", size), end=False)
        answer = await one.answer(1)
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(5):
                for _ in range(sent // 16384):
                    one.data(1, bytes(16384), end=False)
                    await one.writer.drain()
        return answer


async def half_message(one: Peer, stream: int, size: int) -> None:
    """Begin a message and never end it."""
    one.open(stream, asked(GET_USER))
    one.data(stream, b"\0" + struct.pack(">I", size), end=False)
    for _ in range(3):
        one.data(stream, bytes(16384), end=False)


async def resets(port: int, count: int) -> int:
    """Begin and take back ``count`` calls, on as many connections as it takes.

    How often it was told to calm down: the last time may come when all is sent.
    """
    sent = told = 0
    while sent < count:
        with suppress(ConnectionError):
            async with peer(port) as one:
                try:
                    async for _ in _begun_and_taken_back(one, count - sent):
                        sent += 1
                finally:  # it may hear it and lose the connection before it is done
                    told += ErrorCodes.ENHANCE_YOUR_CALM in one.codes
    return told


async def _begun_and_taken_back(one: Peer, count: int) -> AsyncIterator[int]:
    """The streams of ``count`` calls, or of as many as the connection bears."""
    for burst in range(1, 2 * count, 100):
        if one.is_closed:
            return
        for stream in range(burst, burst + 100, 2):
            one.ask(stream, headers=asked(GET_USER))
            one.send(RstStreamFrame(stream, error_code=ErrorCodes.CANCEL))
            yield stream
        await one.writer.drain()
        await asyncio.sleep(0.002)  # so that it hears what it is told
    with suppress(TimeoutError):
        await until(lambda: one.is_closed, 5)


@asynccontextmanager
async def half_open(port: int, count: int) -> AsyncIterator[list[Peer]]:
    """Connections that say nothing, or half of what a client begins with."""
    beginnings = [b"", b"PRI * HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"PRI * HT"]
    async with AsyncExitStack() as stack:
        peers = []
        for number in range(count):
            quiet = peer(port, greets=False, acknowledges=False)
            one = await stack.enter_async_context(quiet)
            one.send(beginnings[number % len(beginnings)])
            peers.append(one)
        yield peers


@dataclass
class Probes:
    """How long others waited for an answer meanwhile, in seconds, and how many got none."""

    waits: list[float] = field(default_factory=list)
    failed: int = 0

    def share(self, part: float) -> float:
        """The wait that ``part`` of them did not exceed."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(len(self.waits) * part))]


@asynccontextmanager
async def probing(port: int) -> AsyncIterator[Probes]:
    """Somebody else asks for health over and over meanwhile; the result is there at the end."""
    prober = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.health_prober", str(port)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    probes = Probes()
    try:
        yield probes
        async with asyncio.timeout(60):
            written, _ = await prober.communicate(b"")
        found = json.loads(written)
        probes.waits, probes.failed = found["waits"], found["failed"]
    finally:
        if prober.returncode is None:
            prober.kill()
            await prober.wait()
