"""Reads and writes on several workers at random, from a seed, with every answer checked."""

import asyncio
import random
import time
from collections.abc import Sequence

from service.core.access import SYSTEM
from service.users.errors import UserNotFound
from tests.support.truth import GONE, Truth
from tests.support.workers import Worker


class Storm:
    """Some users, whom anybody may rename or delete at any time, and many readers."""

    def __init__(self, team: Sequence[Worker], seed: int, *, users: int = 8) -> None:
        self.team, self.users, self.truth = team, users, Truth()
        self.seed, self._dice = seed, random.Random(seed)
        self._ids: list[str] = []
        self.slowest = 0.0
        self.stopping = False

    async def begin(self) -> None:
        self._ids = [await self.team[0].make() for _ in range(self.users)]

    async def blow(self, seconds: float, reads: int = 300) -> None:
        """Go on for that long and until so much was read; then every worker reads all once more."""
        self.stopping = False
        writers = [asyncio.create_task(self._write(place)) for place in range(self.users)]
        readers = [asyncio.create_task(self._read()) for _ in range(8)]
        cancelled = asyncio.create_task(self._cancel_readers())
        await asyncio.sleep(seconds)
        while self.truth.reads < reads:  # a busy machine takes longer, and sees as much
            await asyncio.sleep(0.1)
        self.stopping = True
        await asyncio.gather(*writers, *readers, cancelled)

    def verdict(self) -> str:
        """Empty when all was right; otherwise the seed and the first wrongs."""
        wrong = self.truth.wrong
        return f"seed {self.seed}: {len(wrong)} wrong, {wrong[:5]}" if wrong else ""

    async def look(self, worker: int, user: str) -> None:
        began = time.monotonic()
        try:
            version, name, _ = await self.team[worker].user(user)
        except UserNotFound:
            version, name = GONE, ""
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.truth.see(user, worker, began, version, name)

    async def _write(self, place: int) -> None:
        version = 1
        while not self.stopping:
            await asyncio.sleep(self._dice.uniform(0.0, 0.3))
            user, worker = self._ids[place], self._dice.randrange(len(self.team))
            version = self.truth.begun.get(user, 1) + 1
            if self._dice.random() < 0.1:
                await self._delete(place, worker)
                continue
            self.truth.begin(user, version)
            made = await self.team[worker].rename(user, f"v{version}")
            assert made == version
            self.truth.acknowledge(user, worker, version, time.monotonic())
            await self.look(worker, user)

    async def _delete(self, place: int, worker: int) -> None:
        user = self._ids[place]
        self.truth.begin(user, GONE)
        await self.team[worker].services.users.delete(SYSTEM, user)
        self.truth.acknowledge(user, worker, GONE, time.monotonic())
        await self.look(worker, user)
        self._ids.append(user)  # still asked for: it must never come back
        self._ids[place] = await self.team[worker].make()

    async def _read(self) -> None:
        while not self.stopping:
            await self.look(self._dice.randrange(len(self.team)), self._dice.choice(self._ids))
            await asyncio.sleep(self._dice.uniform(0.0, 0.005))

    async def _cancel_readers(self) -> None:
        """Readers who give up at any moment must harm nobody."""
        while not self.stopping:
            user, worker = self._dice.choice(self._ids), self._dice.choice(self.team)
            reader = asyncio.create_task(worker.user(user))
            await asyncio.sleep(self._dice.uniform(0.0, 0.004))
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
