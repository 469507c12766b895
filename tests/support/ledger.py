"""Writers at both doors that keep a ledger of what was acknowledged, and look it up afterwards."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import httpx
from grpclib.exceptions import GRPCError, StreamTerminatedError

from tests.support.doors import Answer, Door, rest_door, rpc_door
from tests.support.served import ADMIN, PASSWORD, Served

UNDONE = frozenset({"unavailable", "cut"})
"""How a write may end while something is away; anything else is a fault."""


@dataclass
class Ledger:
    """What was asked and what was said, write by write."""

    acknowledged: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_refusal: float = 0.0
    tried: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    emails: list[str] = field(default_factory=list)
    successes: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def refused(self) -> int:
        return sum(count for name, count in self.outcomes.items() if name in UNDONE)

    @property
    def strange(self) -> dict[str, int]:
        """Outcomes that are neither a success nor a refusal that says so."""
        allowed = UNDONE | {"ok"}
        return {name: count for name, count in self.outcomes.items() if name not in allowed}

    def note(self, outcome: str, began: float) -> None:
        now = time.monotonic()
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, now - began)
        if outcome == "ok":
            self.acknowledged += 1
            self.successes.append(now)
        else:
            self.refusals.append(now)
            self.slowest_refusal = max(self.slowest_refusal, now - began)

    def first_success_after(self, moment: float) -> float | None:
        """Seconds from ``moment`` to the first write acknowledged after it."""
        later = [at - moment for at in self.successes if at >= moment]
        return min(later) if later else None


class Writers:
    """Clients that write without a pause: each counts up in a user's name and makes accounts."""

    def __init__(self, doors: list[Door], token: str, *, pause: float = 0.01) -> None:
        self.ledger = Ledger()
        self._doors, self._token, self._pause = doors, token, pause
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, clients: int) -> None:
        """Make one user for each client, then let them write, half of them at each door."""
        for number in range(clients):
            door = self._doors[number % len(self._doors)]
            made = await door.call(
                "create_user",
                bearer=self._token,
                email=f"client-{number}@example.com",
                name="n 0",
                password=PASSWORD,
            )
            assert made.ok, made
            user_id = str(made.body["id"])
            self.ledger.tried[user_id] = self.ledger.held[user_id] = 0
            self._tasks.append(asyncio.create_task(self._write(door, user_id, number)))

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def check(self, door: Door) -> None:
        """Read everything that was acknowledged; what is not there stands in ``ledger.lost``."""
        for user_id, least in self.ledger.held.items():
            answer = await _reading(door, user_id, self._token)
            stored = int(str(answer.body["name"]).removeprefix("n ")) if answer.ok else -1
            if not least <= stored <= self.ledger.tried[user_id]:
                self.ledger.lost.append(f"{user_id}: {stored} not {least}")
        for email in self.ledger.emails:
            found = await door.call("list_users", bearer=self._token, q=email, size=1)
            if not found.ok or not found.body["data"]:
                self.ledger.lost.append(email)

    async def _write(self, door: Door, user_id: str, client: int) -> None:
        for number in count(1):
            if self._stopping:
                return
            if number % 10:
                self.ledger.tried[user_id] = number
                arguments = {"id": user_id, "name": f"n {number}"}
                if await self._ask(door, "update_user", arguments):
                    self.ledger.held[user_id] = number
            else:
                email = f"made-{client}-{number}@example.com"
                arguments = {"email": email, "name": "Made", "password": PASSWORD}
                if await self._ask(door, "create_user", arguments):
                    self.ledger.emails.append(email)
            await asyncio.sleep(self._pause)

    async def _ask(self, door: Door, operation: str, arguments: dict[str, str]) -> bool:
        began = time.monotonic()
        try:
            answer = await door.call(operation, bearer=self._token, headers=None, **arguments)
            outcome = answer.outcome
        except (httpx.HTTPError, OSError, StreamTerminatedError, GRPCError, KeyError):
            outcome = "cut"
        self.ledger.note(outcome, began)
        return outcome == "ok"


async def _reading(door: Door, user_id: str, token: str) -> Answer:
    return await door.call("get_user", bearer=token, id=user_id)


@asynccontextmanager
async def writing(service: Served, *, clients: int = 8) -> AsyncIterator[Writers]:
    """Writers at both doors of a service, stopped at the end of the block and not yet checked."""
    async with rest_door(service.http_port) as rest, rpc_door(service.rpc_port) as rpc:
        login = await rest.call("login", email=ADMIN, password=PASSWORD)
        writers = Writers([rest, rpc], str(login.body["access_token"]))
        await writers.start(clients)
        try:
            yield writers
        finally:
            await writers.stop()
