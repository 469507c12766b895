"""make chaos-creates: one address, 40 at once, 100 rounds on each database; prints a table."""

import asyncio
import logging
import sys
import time
import warnings

from tests.support.databases import BACKENDS, Backend, available, fresh_database
from tests.support.live import live_service
from tests.support.races import RACERS, Race, race

HEAD = f"{'database':<10}{'rounds':>8}{'creates':>9}{'ok':>6}{'email_taken':>13}{'other':>7}"
TAIL = f"{'unsound':>9}{'slowest round':>15}{'in all':>9}"


def say(line: str) -> None:
    print(line, flush=True)


async def main(rounds: int) -> int:
    """The number of unsound rounds, on all databases together."""
    say(HEAD + TAIL)
    unsound = 0
    for backend in BACKENDS:
        if absence := available(backend):
            say(f"{backend:<10}  left out: {absence}")
            continue
        unsound += await _on(backend, rounds)
    return unsound


async def _on(backend: Backend, rounds: int) -> int:
    began = time.perf_counter()
    with fresh_database(backend) as url:
        async with live_service(url) as live:
            found = await race(live, await live.people.signed_in("Root", "admin"), rounds)
    _report(backend, found, time.perf_counter() - began)
    return len(found.unsound)


def _report(backend: Backend, found: Race, seconds: float) -> None:
    others = found.outcomes.total() - found.outcomes["ok"] - found.outcomes["email_taken"]
    counts = f"{found.outcomes['ok']:>6}{found.outcomes['email_taken']:>13}{others:>7}"
    times = f"{found.slowest * 1000:>12.0f} ms{seconds:>7.1f} s"
    head = f"{backend:<10}{found.rounds:>8}{found.rounds * RACERS:>9}"
    say(f"{head}{counts}{len(found.unsound):>9}{times}")
    for line in found.unsound:
        say(f"    {line}")


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore")  # MariaDB's notes on tables that migrations drop IF EXISTS
    sys.exit(1 if asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 100)) else 0)
