"""Callers at both doors who never stop, each on a connection that it keeps."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support.doors import Door, grpcio_door, rest_door
from tests.support.served import ADMIN, PASSWORD

CALLERS = 4
"""At each door; each makes one call after another."""
PAUSES = (0.1, 0.2, 0.4, 0.8)
"""Seconds before a refused gRPC call is sent again."""


@dataclass
class SteadyLoad:
    """What became of each call; a refusal counts as a failure, for none is called for.

    A gRPC call that is answered UNAVAILABLE is sent again after a pause, as clients are told to:
    until 0.2.0 a worker that left refused what still came on its connections, doing none of it.
    Those are counted, and callers of this release must see none.
    """

    rest_port: int
    rpc_port: int
    callers: int = CALLERS
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    sent_again: int = 0
    slowest: float = 0.0
    _stopping: bool = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as callers:
            for _ in range(self.callers):
                callers.create_task(self._at_rest())
                callers.create_task(self._at_rpc())

    def stop(self) -> None:
        self._stopping = True

    async def _at_rest(self) -> None:
        async with rest_door(self.rest_port) as door:
            await self._call_on(door)

    async def _at_rpc(self) -> None:
        async with grpcio_door(self.rpc_port) as door:
            await self._call_on(door)

    async def _call_on(self, door: Door) -> None:
        """Log in, then read, write, list and refresh, over and over."""
        pair = await self._one(door, "login", email=ADMIN, password=PASSWORD)
        while not self._stopping and pair:
            bearer = pair["access_token"]
            for _ in range(5):
                await self._one(door, "who_am_i", bearer=bearer)
                await self._one(door, "list_users", bearer=bearer, size=5)
            email = f"{uuid4().hex}@example.com"
            made = {"name": "Ada", "email": email, "password": PASSWORD}
            await self._one(door, "create_user", bearer=bearer, **made)
            refreshed = await self._one(door, "refresh", refresh_token=pair["refresh_token"])
            pair = refreshed or pair

    async def _one(self, door: Door, operation: str, **arguments: Any) -> dict[str, Any]:
        """The body of the answer; empty when there was none."""
        began = time.monotonic()
        try:
            answer = await door.call(operation, **arguments)
            for pause in PAUSES:
                if answer.outcome != "unavailable" or door.name != "grpcio":
                    break
                self.sent_again += 1
                await asyncio.sleep(pause)
                answer = await door.call(operation, **arguments)
            outcome, body = answer.outcome, answer.body
        except Exception as error:  # noqa: BLE001  # whatever it is, a call was lost
            outcome, body = f"{type(error).__name__}: {error}", {}
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.counts[door.name] += 1
        if outcome != "ok":
            self.failures.append(f"{door.name} {operation}: {outcome}")
        return body
