"""Clients that change users at both doors without a pause, and note what they were promised."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from grpclib.exceptions import GRPCError, StreamTerminatedError

from tests.support.doors import Answer, Door, rest_door, rpc_door
from tests.support.served import ADMIN, PASSWORD, Served

CUT = (httpx.HTTPError, OSError, StreamTerminatedError, GRPCError, KeyError)


@dataclass(frozen=True)
class Change:
    """An acknowledged change, as its event must tell of it: ``facts`` are a part of its data."""

    type: str
    user_id: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass
class Changes:
    """What was asked for, and what was promised."""

    acknowledged: list[Change] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


class Changers:
    """Each makes users, renames them, suspends them, and deletes most, one after the other."""

    def __init__(self, doors: list[Door], token: str, pause: float) -> None:
        self.changes = Changes()
        self._doors, self._token, self._pause = doors, token, pause
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self, clients: int) -> None:
        self._tasks = [
            asyncio.create_task(self._change(self._doors[n % len(self._doors)], n))
            for n in range(clients)
        ]

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _change(self, door: Door, client: int) -> None:
        number = 0
        while not self._stopping:
            number += 1
            await self._one_life(door, f"{client}-{number}-{random.getrandbits(32):x}")

    async def _one_life(self, door: Door, tag: str) -> None:
        email = f"u-{tag}@example.com"
        made = await self._ask(door, "create_user", email=email, name="n 0", password=PASSWORD)
        if made is None:
            return
        user_id = str(made.body["id"])
        self._promised("arcana.user.created", user_id)
        for turn in range(1, 6):
            name = f"n {turn}"
            if await self._ask(door, "update_user", id=user_id, name=name):
                self._promised("arcana.user.updated", user_id, name=name)
        for status in ("suspended", "active"):
            if await self._ask(door, "set_user_status", id=user_id, status=status):
                self._promised("arcana.user.status_changed", user_id, status=status)
        # Refused after the row was found: nothing of it may be told.
        await self._ask(door, "update_user", id=user_id, email=ADMIN)
        if random.random() < 0.7 and await self._ask(door, "delete_user", id=user_id):
            self._promised("arcana.user.deleted", user_id)

    def _promised(self, type_: str, user_id: str, **facts: str) -> None:
        self.changes.acknowledged.append(Change(type_, user_id, tuple(facts.items())))

    async def _ask(self, door: Door, operation: str, **arguments: Any) -> Answer | None:
        await asyncio.sleep(self._pause * random.uniform(0.5, 1.5))
        try:
            answer = await door.call(operation, bearer=self._token, headers=None, **arguments)
            outcome = answer.outcome
        except CUT:
            answer, outcome = None, "cut"
        self.changes.outcomes[outcome] += 1
        return answer if answer is not None and answer.ok else None


@asynccontextmanager
async def changing(
    service: Served, *, clients: int = 8, pause: float = 0.1
) -> AsyncIterator[Changers]:
    """Clients at both doors, until the block ends."""
    async with rest_door(service.http_port) as rest, rpc_door(service.rpc_port) as rpc:
        login = await rest.call("login", email=ADMIN, password=PASSWORD)
        changers = Changers([rest, rpc], str(login.body["access_token"]), pause)
        changers.start(clients)
        try:
            yield changers
        finally:
            await changers.stop()
