"""make connections-check: the connections of 3 x 2 workers under load, against the arithmetic."""

import asyncio
import sys

from service.infra.database import Database
from tests.ship.engine import Failed, need, say
from tests.ship.steady_load import SteadyLoad
from tests.ship.upgrade_check import Fleet
from tests.support.backends import why_absent
from tests.support.databases import Backend, fresh_database
from tests.support.served import ROOT

INSTANCES, WORKERS, POOL = 3, 2, 5
ALLOWED = INSTANCES * WORKERS * (POOL + 3)
ROUNDS = 60
OF = {
    "postgres": "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()",
    "mysql": "SELECT count(*) AS n FROM information_schema.processlist WHERE db = DATABASE()",
}


async def count(backend: Backend) -> int:
    """The most connections that the server had at once, without the one that asked."""
    with fresh_database(backend) as url:
        fleet, watcher, most = Fleet(url, POOL), Database(url, pool_size=1), 0
        await fleet.rest.start()
        await fleet.rpc.start()
        await watcher.connect()
        try:
            for _ in range(INSTANCES):
                await fleet.add(ROOT)
            load = SteadyLoad(fleet.rest.port, fleet.rpc.port, callers=20)
            calling = asyncio.create_task(load.run())
            for _ in range(ROUNDS):
                await asyncio.sleep(0.25)
                most = max(most, await _now(watcher, backend))
            load.stop()
            await calling
        finally:
            await watcher.close()
            await fleet.close()
    failed = len(load.failures)
    say(
        f"{backend}: {most} connections of {ALLOWED} allowed; {load.counts.total()} requests,"
        f" {failed} failed"
    )
    return most


async def _now(watcher: Database, backend: Backend) -> int:
    _, rows = await watcher.client.execute_query(OF[backend])
    return int(rows[0]["n"]) - 1


def main() -> None:
    every: list[Backend] = ["postgres", "mysql"]
    try:
        for backend in every:
            if absence := why_absent(backend):
                say(f"{backend} left out: {absence}")
                continue
            most = asyncio.run(count(backend))
            need(most <= ALLOWED, f"{backend}: {most} connections, {ALLOWED} allowed")
    except Failed as failure:
        print(f"connections-check FAILED: {failure}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
