"""Many who create the same account at once, over both doors."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.support.doors import Answer
from tests.support.live import Live
from tests.support.people import PASSWORD, Person

RACERS = 40


@dataclass
class Race:
    """What became of all rounds so far; a round is sound with one success and one row."""

    rounds: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    unsound: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds of the slowest round."""


async def race(live: Live, root: Person, rounds: int) -> Race:
    """``RACERS`` create one address in mixed case at the same moment, ``rounds`` times over."""
    found = Race()
    for _ in range(rounds):
        email = live.people.fresh_email("racer")
        began = time.perf_counter()
        answers = await asyncio.gather(*(_create(live, root, email, n) for n in range(RACERS)))
        found.slowest = max(found.slowest, time.perf_counter() - began)
        found.rounds += 1
        outcomes = Counter(answer.outcome for answer in answers)
        found.outcomes += outcomes
        rows = await _rows(live, email)
        if outcomes != {"ok": 1, "email_taken": RACERS - 1} or rows != 1:
            found.unsound.append(f"{email}: {dict(outcomes)}, {rows} rows")
    return found


async def _create(live: Live, root: Person, email: str, number: int) -> Answer:
    """At REST and gRPC in turn, by an admin or by registering, each in another case.

    The doors in tests hold every answer against the contract: email_taken is 409 and
    ALREADY_EXISTS.
    """
    door = live.rest if number % 2 else live.rpc
    operation = "create_user" if number % 4 < 2 else "register"
    bearer = root.access if operation == "create_user" else None
    mixed = "".join(c.upper() if (number >> (i % 6)) & 1 else c for i, c in enumerate(email))
    return await door.call(
        operation, bearer=bearer, name=f"Racer {number}", email=mixed, password=PASSWORD
    )


async def _rows(live: Live, email: str) -> int:
    query = f"SELECT COUNT(*) AS n FROM users WHERE LOWER(email) = '{email}'"
    _, found = await live.database.client.execute_query(query)
    return int(dict(found[0])["n"])
