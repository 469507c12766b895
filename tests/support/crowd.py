"""A crowd at both doors that notes, request by request, what a stop or a restart did to it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from grpclib.client import Channel
from grpclib.exceptions import StreamTerminatedError

from service.infra.database import Database
from tests.bench.people import write
from tests.support.doors import Grpcio, RawDetails, Rest, Rpc, rest_door
from tests.support.frames import Observer, observing
from tests.support.operations import OPERATIONS
from tests.support.served import ADMIN, PASSWORD, Served

HEALTH = "/grpc.health.v1.Health/Check"
SEEN = 0.25
"""Seconds after a signal from which every request comes to a worker that knows of it."""
SLOW = 0.5
"""Seconds that the database takes to change a profile, so that calls are under way at any time."""
PAUSE = 0.1
"""Seconds between an answer and the next request of those who only read."""
BRAKE = f"""
CREATE FUNCTION brake() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep({SLOW}); RETURN NEW; END $$
LANGUAGE plpgsql;
CREATE TRIGGER brake BEFORE UPDATE ON user_profiles FOR EACH ROW EXECUTE FUNCTION brake();
"""
_LOGIN = {"email": ADMIN, "password": PASSWORD}
_NEVER_PAUSED = tuple(
    f"{kind}: {how}"
    for kind in ("grpc", "grpc stream")
    for how in ("UNAVAILABLE", "StreamTerminatedError")
)
Ask = Callable[[], Awaitable[str]]
"""One request: empty when it went well, or what went wrong."""


async def filled(service: Served, people: int) -> None:
    """Import so many people: each who changes a profile needs one that nobody else changes."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "people.ndjson"
        write(people, file)
        code, said = await service.command("user", "import", str(file))
    assert code == 0, said


async def braked(url: str) -> None:
    """Make changing a profile slow, in the PostgreSQL database at ``url``."""
    client = Database(url).engine(pool_size=1, command_timeout=10)
    await client.create_connection(with_db=True)
    try:
        await client.execute_script(BRAKE)
    finally:
        await client.close()


@dataclass
class Tally:
    """What became of requests, told apart by whether they were sent before ``signal``."""

    signal: float | None = None
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    late: Counter[str] = field(default_factory=Counter)
    closing: int = 0
    kept: int = 0
    slowest: float = 0.0

    @property
    def strange(self) -> dict[str, int]:
        """What failed after the signal, but for clients of grpclib that never paused.

        They are refused in the end, and a call of theirs may cross the GOAWAY that follows: their
        connection can't be closed without failing one.
        """
        return {what: n for what, n in self.late.items() if not what.startswith(_NEVER_PAUSED)}

    def send_signal(self, send: Callable[[], None]) -> None:
        self.signal = time.monotonic()
        send()

    def note(self, kind: str, began: float, wrong: str) -> None:
        now, early = time.monotonic(), self.signal is None or began < self.signal
        if not wrong:
            (self.before if early else self.after)[kind] += 1
            self.slowest = max(self.slowest, now - began)
        elif early:
            since = "" if self.signal is None else f", {now - self.signal:.2f} s after the signal"
            self.lost.append(f"{kind}: {wrong}{since}")
        else:
            self.late[f"{kind}: {wrong}"] += 1

    def note_connection(self, began: float, closes: bool) -> None:
        """Whether an answer said ``Connection: close``; before the signal nobody asks."""
        if self.signal is not None:
            self.closing += closes
            self.kept += not closes and began > self.signal + SEEN


class Crowd:
    """Clients of one service: half change a profile, which takes ``SLOW`` seconds, half read.

    After the signal those who fail go home, unless ``stays`` says that they come back.
    """

    def __init__(self, service: Served, token: str, tally: Tally, people: Sequence[str]) -> None:
        self.tally, self._service, self._token, self._people = tally, service, token, people
        self._theirs = cycle(people)
        self._tasks: list[asyncio.Task[None]] = []
        self.stays = False
        self.ending = False

    def rest(self, count: int) -> None:
        """Keep-alive clients."""
        for number in range(count):
            self._begin(self._keep_asking_rest(slow=bool(number % 2)))

    def unary(self, doors: list[Rpc], count: int) -> None:
        """Clients of the gRPC door, a few to a channel."""
        for number in range(count):
            door, slow = doors[number % len(doors)], number % 8 > 3
            self._begin(self._repeat(door.name, self._unary(door, slow=slow), slow=slow))

    def streams(self, doors: list[Rpc]) -> None:
        """A client to each door that reads everybody's row."""
        for door in doors:
            self._begin(self._repeat(f"{door.name} stream", self._stream(door)))

    async def leave(self, timeout: float) -> list[str]:
        """Wait until everybody has gone home; what went wrong with the clients themselves."""
        self.ending = True
        done, pending = await asyncio.wait(self._tasks, timeout=timeout)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        faults = [repr(task.exception()) for task in done if task.exception()]
        return faults + ["hangs"] * len(pending)

    def _begin(self, work: Awaitable[None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    async def _repeat(self, kind: str, ask: Ask, *, slow: bool = False) -> None:
        await asyncio.sleep(random.random() * 0.3)
        while not self.ending:
            began = time.monotonic()
            try:
                wrong = await ask()
            except (StreamTerminatedError, OSError) as error:
                wrong = f"{type(error).__name__} {error}"
            self.tally.note(kind, began, wrong)
            if wrong and not self.stays and self.tally.signal is not None:
                return
            await asyncio.sleep(0 if slow and not wrong else PAUSE)

    def _unary(self, door: Rpc, *, slow: bool) -> Ask:
        operation = OPERATIONS["update_profile" if slow else "who_am_i"]
        arguments = {"id": next(self._theirs), "bio": "changed"} if slow else {}
        message = operation.request(**arguments)

        async def ask() -> str:
            said = await door.exchange(operation, message, self._authorization)
            return "" if said.status == "OK" else f"{said.status} {said.message}"

        return ask

    def _stream(self, door: Rpc) -> Ask:
        async def ask() -> str:
            operation = OPERATIONS["stream_users"]
            said = await door.exchange(operation, operation.request(), self._authorization)
            if said.status != "OK":
                return f"{said.status} {said.message}"
            missing = len(self._people) - len(said.messages)
            return f"{missing} missing" if missing else ""

        return ask

    @property
    def _authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}

    async def _keep_asking_rest(self, *, slow: bool) -> None:
        client = KeepAlive(self._service.http_port, self._request(slow=slow), self.tally)
        try:
            await self._repeat("REST", client.ask, slow=slow)
        finally:
            client.close()

    def _request(self, *, slow: bool) -> bytes:
        body = b'{"bio": "changed"}' if slow else b""
        path = f"/api/v1/users/{next(self._theirs)}/profile" if slow else "/api/v1/users/me"
        head = [
            f"{'PATCH' if slow else 'GET'} {path} HTTP/1.1",
            "Host: a",
            f"Authorization: Bearer {self._token}",
            *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if slow else []),
        ]
        return "\r\n".join([*head, "", ""]).encode() + body


class KeepAlive:
    """A REST client that stays connected until it is told to close."""

    def __init__(self, port: int, request: bytes, tally: Tally) -> None:
        self._port, self._request, self._tally = port, request, tally
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> str:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        began = time.monotonic()
        try:
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split()[0])
            await reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            self.close()
            return type(error).__name__
        closes = b"connection: close" in head
        self._tally.note_connection(began, closes)
        if closes:
            self.close()
        return "" if b" 200 " in head[:15] else head[:12].decode()

    def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()


@dataclass
class Gathered:
    """A crowd in full swing, and an observer of the frames of one more connection."""

    crowd: Crowd
    observer: Observer


@asynccontextmanager
async def gathered(
    service: Served,
    tally: Tally,
    *,
    rest: int = 40,
    unary: int = 20,
    streams: int = 5,
) -> AsyncIterator[Gathered]:
    """A crowd at ``service``; at gRPC half of them use either client."""
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(rest_door(service.http_port))
        token = (await door.call("login", **_LOGIN)).body["access_token"]
        observer = await stack.enter_async_context(observing(service.rpc_port))
        observer.call(1, HEALTH)
        crowd = Crowd(service, token, tally, await _everybody(door, token))
        crowd.rest(rest)
        official = [await _grpcio(stack, service.rpc_port) for _ in range(4 + (streams + 1) // 2)]
        ours = [await _grpclib(stack, service.rpc_port) for _ in range(4 + streams // 2)]
        crowd.unary(official[:4], unary // 2)
        crowd.unary(ours[:4], unary - unary // 2)
        crowd.streams([*official[4:], *ours[4:]])
        yield Gathered(crowd, observer)


async def _everybody(door: Rest, token: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while cursor or not found:
        more = {"cursor": cursor} if cursor else {}
        page = (await door.call("list_users", bearer=token, size=100, **more)).body
        found += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    return found


async def _grpcio(stack: AsyncExitStack, port: int) -> Rpc:
    apart = [("grpc.use_local_subchannel_pool", 1)]  # or all channels share a connection
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=apart)
    return Grpcio(await stack.enter_async_context(channel))


async def _grpclib(stack: AsyncExitStack, port: int) -> Rpc:
    channel = Channel("127.0.0.1", port, status_details_codec=RawDetails())
    return Rpc(await stack.enter_async_context(channel))


async def stopped_under_load(service: Served, **sizes: int) -> tuple[Tally, Observer, int, float]:
    """SIGTERM in the middle of a crowd: what came of it, the exit code, and seconds until it."""
    tally = Tally()
    async with gathered(service, tally, **sizes) as here:
        await asyncio.sleep(1.5 + random.random() * 0.5)
        tally.send_signal(service.terminate)
        code = await service.ended(30)
        took = time.monotonic() - (tally.signal or 0.0)
        tally.lost += await here.crowd.leave(15)
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while not here.observer.is_closed:
                    await asyncio.sleep(0.01)
        return tally, here.observer, code, took
