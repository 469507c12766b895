"""One of two workers dies, or stands still, under load."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass

import httpx

from tests.support.served import Served

WITHIN = 3.0
BUSY = 10.0


@dataclass(frozen=True)
class Found:
    """What was seen; seconds from the blow on."""

    scene: str
    gone: float
    back: float
    requests: int
    failed_at_once: int
    failed_later: int
    told: bool

    @property
    def is_bad(self) -> bool:
        return self.gone > WITHIN or self.failed_later > 0 or not self.told

    def __str__(self) -> str:
        return (
            f"{self.scene}: noticed after {self.gone:.2f} s, two workers ready after"
            f" {self.back:.2f} s; of {self.requests} requests on new connections"
            f" {self.failed_at_once} failed until then and {self.failed_later} later;"
            f" cause in the log: {'yes' if self.told else 'no'}"
        )


async def kill_one(service: Served) -> Found:
    """kill -9."""
    victim = service.workers[0]
    return await _blow(service, "kill -9", victim, signal.SIGKILL, "SIGKILL")


async def stick_one(service: Served) -> Found:
    """A loop that stands still, as one blocked for ten seconds does: SIGSTOP and no more."""
    victim = service.workers[0]
    return await _blow(service, "stuck loop", victim, signal.SIGSTOP, "no sign of life")


async def _blow(
    service: Served, scene: str, victim: int, number: signal.Signals, cause: str
) -> Found:
    outcomes: list[tuple[float, bool]] = []
    asking = [asyncio.create_task(_ask(service, outcomes)) for _ in range(8)]
    await asyncio.sleep(1)
    struck, readies = time.monotonic(), service.log.count("worker ready")
    os.kill(victim, number)
    gone = back = 0.0
    async with asyncio.timeout(30):
        while not (gone and back):
            await asyncio.sleep(0.02)
            now = time.monotonic() - struck
            gone = gone or (now if f'"worker died","pid":{victim}' in service.log else 0.0)
            back = back or (now if service.log.count("worker ready") > readies else 0.0)
    await asyncio.sleep(2)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    failed = [at - struck for at, went_well in outcomes if not went_well]
    return Found(
        scene,
        gone,
        back,
        len(outcomes),
        sum(at <= back for at in failed),
        sum(at > back for at in failed),
        cause in service.log,
    )


async def _ask(service: Served, outcomes: list[tuple[float, bool]]) -> None:
    """New connections, one after the other; each is noted when it began."""
    url = f"http://127.0.0.1:{service.http_port}/health/ready"
    while True:
        began = time.monotonic()
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=BUSY) as client:
                went_well = (await client.get(url)).status_code == 200
        except httpx.HTTPError:
            went_well = False
        outcomes.append((began, went_well))
        await asyncio.sleep(0.01)
