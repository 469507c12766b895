"""make chaos-refresh: refreshes at once, with lost answers and by a thief; prints a table."""

import asyncio
import logging
import sys
import warnings

from tests.support.databases import BACKENDS, available, fresh_database
from tests.support.refreshes import Played, crowd, lose_answers, race, steal

AT_ONCE, ROUNDS, REFRESHES, THEFTS = 100, 200, 1000, 20
COLUMNS = (
    ("database", 10),
    ("scene", 14),
    ("refreshes", 11),
    ("ok", 8),
    ("invalid_token", 15),
    ("other", 7),
    ("successors", 12),
    ("live chains", 13),
    ("answers lost", 14),
    ("slowest round ms", 18),
    ("faults", 6),
)


def row(backend: str, played: Played) -> str:
    ok, refused = played.outcomes["ok"], played.outcomes["invalid_token"]
    cells = (
        backend,
        played.scene,
        played.refreshes,
        ok,
        refused,
        played.refreshes - ok - refused,
        played.successors or "-",
        played.chains or "-",
        played.lost or "-",
        f"{played.slowest * 1000:.0f}" if played.slowest else "-",
        len(played.faults),
    )
    return "".join(f"{cell!s:<{width}}" for cell, (_, width) in zip(cells, COLUMNS, strict=True))


async def main(rounds: int) -> int:
    """The number of faults; ``rounds`` makes everything shorter in proportion."""
    print(f"Two workers, both doors; {AT_ONCE} at once, {rounds} rounds on each database.")
    print("".join(f"{name:<{width}}" for name, width in COLUMNS), flush=True)
    faults = 0
    for backend in BACKENDS:
        if absence := available(backend):
            print(f"{backend:<10}left out: {absence}", flush=True)
            continue
        with fresh_database(backend) as url:
            async with crowd(url) as everybody:
                for scene in (
                    race(everybody, rounds=rounds, at_once=AT_ONCE),
                    lose_answers(everybody, refreshes=REFRESHES * rounds // ROUNDS),
                    steal(everybody, thefts=max(2, THEFTS * rounds // ROUNDS)),
                ):
                    played = await scene
                    faults += len(played.faults)
                    print(row(backend, played), flush=True)
                    for fault in played.faults:
                        print(f"    FAULT: {fault}", flush=True)
    return faults


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore")
    sys.exit(1 if asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)) else 0)
