"""make chaos-data: databases and workers die under write load; what was lost is counted."""

import asyncio
import logging
import sys
import warnings
from collections.abc import Coroutine
from typing import Any

from tests.support.outages import (
    TWO_CROWDS,
    Outcome,
    database_killed,
    database_swallowed,
    disk_filled,
    may_mount,
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
        *([disk_filled(away=3, load=4)] if may_mount() else []),
    ]


def faults(outcome: Outcome) -> list[str]:
    """What the issue forbids and was seen."""
    ledger, back = outcome.ledger, outcome.first_success
    nothing_died = outcome.scene == TWO_CROWDS
    forbidden = {
        f"acknowledged and lost: {ledger.lost[:3]}": bool(ledger.lost),
        f"neither done nor refused: {ledger.strange}": bool(ledger.strange),
        f"refused: {ledger.refused}": nothing_died and ledger.refused > 0,
        "no success within 2 s": not nothing_died and (back is None or back > 2),
        "a refusal took more than 3 s": outcome.slowest_while_away > 3,
        "ready for more than 5 s": (outcome.ready_503 or 0) > 5,
        f"/health/live answered {sorted(outcome.live)}": outcome.live != {200},
        f"PRAGMA integrity_check says {outcome.integrity}": outcome.integrity != "ok",
        "a worker was replaced": not outcome.same_workers,
    }
    return [fault for fault, was_seen in forbidden.items() if was_seen]


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
