"""make chaos-orders: creations sent twice, and who pays against who cancels; prints two tables."""

import asyncio
import logging
import sys
import time
import warnings
from collections.abc import Sequence

from tests.support.databases import BACKENDS, Backend, available, fresh_database
from tests.support.order_chaos import CLIENTS, Duels, Shop, Twins, duel, send_twice, shop

CREATIONS, ROUNDS = 1000, 200
TWINS = (
    f"{'database':<10}{'creations':>10}{'calls':>7}{'busy':>6}{'orders':>8}{'same answer':>13}"
    f"{'s':>7}"
)
DUELS = (
    f"{'database':<10}{'rounds':>7}{'paid':>6}{'cancelled':>11}{'409':>6}{'FAILED_PRECONDITION':>21}"
    f"{'in turn':>9}{'s':>7}"
)


def say(line: str) -> None:
    print(line, flush=True)


async def main(names: Sequence[str]) -> int:
    """The number of faults, on the databases that are named, or on all."""
    say(f"Two workers, {CLIENTS} clients at both doors.")
    faults = 0
    for backend in BACKENDS:
        if names and backend not in names:
            continue
        if absence := available(backend):
            say(f"{backend:<10}  left out: {absence}")
            continue
        with fresh_database(backend) as url:
            async with shop(url) as opened:
                faults += await _on(backend, opened)
    return faults


async def _on(backend: Backend, opened: Shop) -> int:
    began = time.perf_counter()
    twins = await send_twice(opened, CREATIONS)
    between = time.perf_counter()
    duels = await duel(opened, ROUNDS)
    _report_twins(backend, twins, between - began)
    _report_duels(backend, duels, time.perf_counter() - between)
    for fault in (*twins.faults, *duels.faults)[:20]:
        say(f"    FAULT: {fault}")
    return len(twins.faults) + len(duels.faults)


def _report_twins(backend: Backend, twins: Twins, seconds: float) -> None:
    calls = 2 * twins.creations + twins.busy
    head = f"{backend:<10}{twins.creations:>10}{calls:>7}{twins.busy:>6}{twins.orders:>8}"
    say(f"{TWINS}\n{head}{twins.same:>13}{seconds:>7.1f}")


def _report_duels(backend: Backend, duels: Duels, seconds: float) -> None:
    won = f"{duels.won['pay']:>6}{duels.won['cancel']:>11}"
    lost = f"{duels.lost['rest']:>6}{duels.lost['grpc']:>21}"
    say(f"{DUELS}\n{backend:<10}{duels.rounds:>7}{won}{lost}{duels.in_turn:>9}{seconds:>7.1f}")


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore")  # MariaDB's notes on tables that migrations drop IF EXISTS
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
