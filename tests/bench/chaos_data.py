"""make chaos-data: databases and workers die under write load; what was lost is counted."""

import asyncio
import logging
import sys
import warnings
from collections.abc import Coroutine
from typing import Any

from tests.support.outages import (
    Outcome,
    database_killed,
    database_swallowed,
    two_crowds_on_sqlite,
    worker_killed,
)

SERVERS = ("postgres", "mysql")
COLUMNS = (
    ("scene", 24),
    ("database", 10),
    ("acknowledged", 13),
    ("lost", 6),
    ("refused", 9),
    ("slowest refusal s", 19),
    ("first success s", 17),
    ("not ready s", 13),
    ("live", 6),
    ("same workers", 14),
)


def scenes() -> list[Coroutine[Any, Any, Outcome]]:
    return [
        *(database_killed(backend, away=3, load=4) for backend in SERVERS),
        *(database_swallowed(backend, away=6, load=4) for backend in SERVERS),
        *(worker_killed(backend, load=4) for backend in ("sqlite", *SERVERS)),
        two_crowds_on_sqlite(load=6),
    ]


def faults(outcome: Outcome) -> list[str]:
    """What the issue forbids and was seen."""
    found = []
    if outcome.ledger.lost:
        found.append(f"acknowledged and lost: {outcome.ledger.lost[:3]}")
    if outcome.ledger.strange:
        found.append(f"neither done nor refused: {outcome.ledger.strange}")
    if outcome.slowest_while_away > 3:
        found.append("a request took more than 3 s")
    if outcome.scene != "50 writers, 2 processes":
        if outcome.first_success is None or outcome.first_success > 2:
            found.append("no success within 2 s")
    elif outcome.ledger.refused:
        found.append(f"refused: {dict(outcome.ledger.outcomes)}")
    if outcome.ready_503 is not None and outcome.ready_503 > 5:
        found.append("ready for more than 5 s")
    if outcome.live != {200}:
        found.append(f"/health/live answered {sorted(outcome.live)}")
    if not outcome.same_workers:
        found.append("a worker was replaced")
    return found


def row(outcome: Outcome) -> str:
    ledger = outcome.ledger
    cells = (
        outcome.scene,
        outcome.backend,
        ledger.acknowledged,
        len(ledger.lost),
        ledger.refused,
        _seconds(outcome.slowest_while_away),
        _seconds(outcome.first_success),
        _seconds(outcome.ready_503),
        "ok" if outcome.live == {200} else "down",
        "yes" if outcome.same_workers else "no",
    )
    return "".join(f"{cell!s:<{width}}" for cell, (_, width) in zip(cells, COLUMNS, strict=True))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


async def main() -> int:
    logging.disable(logging.WARNING)
    print("".join(f"{name:<{width}}" for name, width in COLUMNS), flush=True)
    wrong = 0
    for scene in scenes():
        outcome = await scene
        print(row(outcome), flush=True)
        for fault in faults(outcome):
            wrong += 1
            print(f"    FAULT: {fault}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(asyncio.run(main()))
