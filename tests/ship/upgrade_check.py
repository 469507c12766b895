"""make upgrade-check: from the previous release to this one under load, with migrations between.

No containers: the processes are those that would be in them, three instances behind balancers of
TCP on loopback, replaced one by one as a Deployment with maxSurge 1 and maxUnavailable 0 does it:
the new one ready first, then the old one out of the balancer, then SIGTERM. The load never stops.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.ship.balancer import Balancer
from tests.ship.engine import Failed, need, say
from tests.ship.steady_load import SteadyLoad
from tests.support.backends import why_absent
from tests.support.databases import Backend, fresh_database
from tests.support.releases import PREVIOUS, Release, tree_of_previous_release
from tests.support.served import ROOT

INSTANCES = 3
LEAVING = 0.5
"""Seconds between an instance's leaving the balancer and its SIGTERM; preStop has 5."""
REDIS_URL = "redis://127.0.0.1:6379/0"


class Fleet:
    """The instances behind the two balancers."""

    def __init__(self, database_url: str, pool: int = 2) -> None:
        """Pools are small: 4 instances share the server with whatever else runs here."""
        self._url, self._pool = database_url, str(pool)
        self._shared = {} if why_absent("redis") else {"REDIS_URL": REDIS_URL, "WORKERS": "2"}
        self.rest, self.rpc = Balancer(), Balancer()
        self.instances: list[Release] = []

    async def add(self, root: Path) -> None:
        """Start an instance, and send it connections once it is ready."""
        release = Release(self._url, root)
        release._environment |= {"METRICS_PORT": "off", "DB_POOL_SIZE": self._pool}
        release._environment |= self._shared
        await release.start()
        self.instances.append(release)
        self._aim()

    async def retire(self) -> None:
        """Take the oldest instance out, and stop it when nothing new comes to it."""
        oldest = self.instances.pop(0)
        self._aim()
        await asyncio.sleep(LEAVING)
        await oldest.stop()
        code = oldest._process.returncode if oldest._process else None
        need(code == 0, f"an instance ended with {code}:\n{oldest.log[-2000:]}")
        oldest.remove()

    def _aim(self) -> None:
        self.rest.targets = [one.http_port for one in self.instances]
        self.rpc.targets = [one.rpc_port for one in self.instances]

    async def close(self) -> None:
        for one in self.instances:
            await one.stop()
            one.remove()
        await self.rest.stop()
        await self.rpc.stop()


async def upgrade(backend: Backend, old: Path) -> None:
    with fresh_database(backend, migrated=False) as url:
        made = Release(url, old).manage("migrate", "up")
        need(made.returncode == 0, f"the old schema is not made: {made.stderr}")
        fleet = Fleet(url)
        await fleet.rest.start()
        await fleet.rpc.start()
        try:
            for _ in range(INSTANCES):
                await fleet.add(old)
            await _under_load(fleet, backend, url)
        finally:
            await fleet.close()


async def _under_load(fleet: Fleet, backend: Backend, url: str) -> None:
    load = SteadyLoad(fleet.rest.port, fleet.rpc.port)
    calling = asyncio.create_task(load.run())
    steps: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        (f"{INSTANCES} instances of {PREVIOUS} under load", lambda: asyncio.sleep(3)),
        ("migrated", lambda: asyncio.to_thread(_migrate, url)),
    ]
    for number in range(INSTANCES):
        steps.append((f"instance {number + 1} of this release added", lambda: fleet.add(ROOT)))
        steps.append(("an old one retired", fleet.retire))
    steps.append(("all of this release under load", lambda: asyncio.sleep(3)))
    again: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("one more of this release added", lambda: fleet.add(ROOT)),
        ("one of this release retired", fleet.retire),
    ]
    try:
        for name, step in steps:
            await _told(name, step, load)
        of_the_old, load.sent_again = load.sent_again, 0
        for name, step in again * INSTANCES:
            await _told(name, step, load)
    finally:
        load.stop()
        await calling
    need(not load.failures, f"{len(load.failures)} lost: {Counter(load.failures).most_common(5)}")
    counts = f"{load.counts['rest']} at REST and {load.counts['grpcio']} at gRPC"
    need(not load.sent_again, f"this release refused {load.sent_again} calls when it left")
    refused = f"{of_the_old} refused by {PREVIOUS} and sent again, none by this release"
    say(f"{backend}: {counts}, none failed, {refused}; the slowest took {load.slowest:.2f} s")


async def _told(name: str, step: Callable[[], Awaitable[object]], load: SteadyLoad) -> None:
    """Take a step, and tell what the load saw meanwhile."""
    before, failed, again = load.counts.total(), len(load.failures), load.sent_again
    began = time.monotonic()
    await step()
    done, lost = load.counts.total() - before, len(load.failures) - failed
    seconds, again = time.monotonic() - began, load.sent_again - again
    shown = f"{done:>7} requests{again:>4} sent again{lost:>4} failed"
    print(f"   {name:<42}{seconds:>6.1f} s{shown}", flush=True)


def _migrate(url: str) -> None:
    """With this release's code, while the old one serves."""
    done = Release(url, ROOT).manage("migrate", "up")
    need(done.returncode == 0, f"migrating failed: {done.stderr}")
    print("   " + done.stdout.strip().replace("\n", "\n   "), flush=True)


def main(backends: list[Backend]) -> None:
    try:
        with tempfile.TemporaryDirectory() as place:
            why = tree_of_previous_release(Path(place))
            need(why is None, str(why))
            for backend in backends:
                if absence := why_absent(backend):
                    say(f"{backend} left out: {absence}")
                    continue
                asyncio.run(upgrade(backend, Path(place)))
    except Failed as failure:
        print(f"upgrade-check FAILED: {failure}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    every: list[Backend] = ["postgres", "mysql"]
    main([backend for backend in every if backend in sys.argv[1:] or not sys.argv[1:]])
