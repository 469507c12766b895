"""make bench-tokens: access tokens checked per second, one way beside the other in one process.

Each round times every way for a moment, in an order that turns from round to round, so that what
else the machine does weighs on all alike; what is printed are medians. ``cold`` checks a signature
each time, ``warm`` finds the token among those verified lately, and ``with revocation`` also asks
whether its session still stands, as each request does.
"""

import asyncio
import os
import platform
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import jwt

from config.settings import Settings
from service.app import Outside, Wiring
from service.auth.verified import VerifiedTokens
from service.core.access import SYSTEM, Actor
from service.infra.cache import MemoryCache
from service.infra.changes import ChangeFeed
from service.infra.database import Database
from service.infra.limits import NoLimits
from service.keys.algorithms import ALGORITHMS, Algorithm
from service.keys.jwk import public_jwk
from tests.support.databases import fresh_database
from tests.support.fakes import PlainHasher

ROUNDS, SPAN, TOKENS = 15, 0.08, 50
"""Rounds; seconds that each way is timed in a round; how many tokens it goes through."""
SECRET = "a secret of the bench, longer than 32 bytes"
PASSWORD = "correct horse battery"
Check = Callable[[str], Awaitable[object]]


@asynccontextmanager
async def worker(url: str, algorithm: Algorithm) -> AsyncIterator[Wiring]:
    """One worker's services over ``url``, its change feed and key ring running."""
    settings = Settings(database_url=url, jwt_secret=SECRET, jwt_algorithm=algorithm)
    database = Database(url)
    await database.connect()
    feed = ChangeFeed(database)
    outside = Outside(database, MemoryCache(), PlainHasher(), NoLimits(), feed=feed)
    wiring = Wiring(settings, outside)
    await feed.start()
    await wiring.ring.start()
    try:
        yield wiring
    finally:
        await wiring.ring.stop()
        await feed.stop()
        await database.close()


async def tokens_of(wiring: Wiring) -> list[str]:
    """Access tokens of as many sessions."""
    await wiring.roles.make_built_in(SYSTEM)
    raw = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    await wiring.users.create(SYSTEM, raw)
    visitor, login = Actor(address="192.0.2.1"), {"email": raw["email"], "password": PASSWORD}
    return [(await wiring.auth.login(visitor, login)).access_token for _ in range(TOKENS)]


async def ways(wiring: Wiring, algorithm: Algorithm) -> dict[str, Check]:
    """What is measured, by name."""
    key = await wiring.ring.signing()
    jwk = public_jwk(key)
    known: Any = key.private() if jwk is None else jwt.PyJWK(jwk).key
    required = ["iss", "aud", "sub", "sid", "jti", "exp"]

    async def pyjwt(token: str) -> object:
        return jwt.decode(
            token,
            known,
            algorithms=[algorithm],
            issuer="arcana",
            audience="arcana",
            options={"require": required},
        )

    visitor = Actor(address="192.0.2.1")
    cold = wiring.access_tokens.read
    warm = VerifiedTokens(wiring.access_tokens, wiring.clock).read

    async def cold_and_revocation(token: str) -> object:
        return await wiring.sessions.backs(await cold(token))

    async def authenticated(token: str) -> object:
        return await wiring.auth.authenticate(visitor, token)

    return {
        "raw PyJWT decode": pyjwt,
        "ours, cold": cold,
        "ours, cold, with revocation": cold_and_revocation,
        "ours, warm": warm,
        "ours, warm, with revocation": authenticated,
    }


async def rate(check: Check, tokens: list[str]) -> float:
    """Checks per second over a moment."""
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < SPAN:
        for token in tokens:
            await check(token)
        done += len(tokens)
    return done / took


async def measure(algorithm: Algorithm) -> dict[str, float]:
    """The median rate of each way."""
    with fresh_database("sqlite") as url:
        async with worker(url, algorithm) as wiring:
            tokens = await tokens_of(wiring)
            checks = list((await ways(wiring, algorithm)).items())
            rates: dict[str, list[float]] = {name: [] for name, _ in checks}
            for number in range(ROUNDS):
                turn = number % len(checks)
                for name, check in checks[turn:] + checks[:turn]:
                    rates[name].append(await rate(check, tokens))
    return {name: statistics.median(found) for name, found in rates.items()}


async def main() -> None:
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()},"
        f" Python {platform.python_version()}: tokens checked per second, medians of {ROUNDS}"
    )
    chosen = [name for name in ALGORITHMS if name in sys.argv[1:]] or list(ALGORITHMS)
    for algorithm in chosen:
        found = await measure(algorithm)
        base = found["raw PyJWT decode"]
        print(f"{algorithm}")
        for name, per_second in found.items():
            print(
                f"  {name:<30}{per_second:>10,.0f} /s{1e6 / per_second:>9.1f} µs"
                f"{per_second / base:>8.1f} × PyJWT",
                flush=True,
            )


if __name__ == "__main__":
    asyncio.run(main())
