"""What stands between events, such as how full a pool is: looked at now and then."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from service.core.metrics import LOOP_LAG

log = logging.getLogger("arcana.metrics")

EVERY = 0.5
"""Seconds between two looks; a scrape finds what was seen at the last."""

Look = Callable[[], None]


class Sampler:
    """Takes every look, over and over, and measures how late the loop lets it."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks = looks
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep_looking())

    async def stop(self) -> None:
        """Look once more, so that the last values are those of the end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._look()

    async def _keep_looking(self) -> None:
        while True:
            self._look()
            due = time.perf_counter() + EVERY
            await asyncio.sleep(EVERY)
            LOOP_LAG.observe(max(0.0, time.perf_counter() - due))

    def _look(self) -> None:
        for look in self._looks:
            try:
                look()
            except Exception as error:  # noqa: BLE001  # one blind eye must not close the others
                log.warning("a gauge can't be read (%s)", type(error).__name__)
