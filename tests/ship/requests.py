"""The requests that checks make of a running service."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.ship.engine import need
from tests.ship.topology import ADMIN, PASSWORD
from tests.support.doors import Answer, Door, Rest, grpcio_door, rest_door

PEOPLE, ROUNDS = 8, 4
"""A log-in that is good clears its person's count of tries, so these stay within the limits."""


async def admin_token(http_port: int) -> str:
    async with rest_door(http_port) as rest:
        answer = await rest.call("login", email=ADMIN, password=PASSWORD)
    need(answer.ok, f"the admin can't log in: {answer.outcome}")
    return str(answer.body["access_token"])


def person(number: int) -> str:
    return f"person-{number}@example.com"


async def make_people(http_port: int, token: str) -> None:
    async with rest_door(http_port) as rest:
        for number in range(PEOPLE):
            made = {"name": f"Person {number}", "email": person(number), "password": PASSWORD}
            answer = await rest.call("create_user", bearer=token, **made)
            need(answer.ok, f"a user can't be made: {answer.outcome}")


async def users_seen(http_port: int, rpc_port: int, token: str) -> tuple[int, int]:
    """How many users REST and gRPC list."""
    async with rest_door(http_port) as rest, grpcio_door(rpc_port) as rpc:
        answers = [await door.call("list_users", bearer=token, size=100) for door in (rest, rpc)]
    need(all(answer.ok for answer in answers), f"a list failed: {answers}")
    first, second = (len(answer.body["data"]) for answer in answers)
    return first, second


@dataclass
class Load:
    """Log-ins at both doors, all sent at once: each takes some 30 ms of a core."""

    http_port: int
    rpc_port: int
    size: int = PEOPLE * ROUNDS * 2
    failures: list[str] = field(default_factory=list)
    _done: list[tuple[str, float]] = field(default_factory=list)
    _mark: float = 0.0

    async def all_at_once(self) -> None:
        async with rest_door(self.http_port) as rest, grpcio_door(self.rpc_port) as rpc:
            doors: tuple[tuple[str, Door], ...] = (("rest", rest), ("grpc", rpc))
            calls = [
                self._one(name, door, number % PEOPLE)
                for number in range(PEOPLE * ROUNDS)
                for name, door in doors
            ]
            await asyncio.gather(*calls)

    async def _one(self, name: str, door: Door, number: int) -> None:
        try:
            answer: Answer = await door.call("login", email=person(number), password=PASSWORD)
            outcome = answer.outcome
        except Exception as error:  # noqa: BLE001  # whatever it is, the request was lost
            outcome = f"{type(error).__name__}: {error}"
        self._done.append((name, time.monotonic()))
        if outcome != "ok":
            self.failures.append(f"{name} {outcome}")

    async def under_way(self) -> None:
        """Wait until some were answered at either door, and others were not."""
        async with asyncio.timeout(30):
            while len({name for name, _ in self._done}) < 2:
                await asyncio.sleep(0.001)

    def answered(self) -> int:
        return len(self._done)

    def mark(self) -> None:
        self._mark = time.monotonic()

    def after_mark(self) -> Counter[str]:
        counts = Counter(name for name, when in self._done if when > self._mark)
        return Counter({"rest": counts["rest"], "grpc": counts["grpc"]})


@dataclass
class HalfSent:
    """A request whose body is still coming."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    rest: bytes

    async def finish(self, after: float) -> int:
        """Send the rest ``after`` so many seconds; the status of the answer."""
        await asyncio.sleep(after)
        self.writer.write(self.rest)
        line = await asyncio.wait_for(self.reader.readline(), 30)
        self.writer.close()
        return int(line.split()[1]) if line else 0


async def half_a_request(port: int) -> HalfSent:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"email": ADMIN, "password": PASSWORD}).encode()
    head = (
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: arcana\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body[:10])
    await writer.drain()
    return HalfSent(reader, writer, body[10:])


__all__ = ["Load", "Rest", "admin_token", "half_a_request", "make_people", "users_seen"]
