"""make chaos-http: 150 half-open clients at one worker, and how long everybody else waits."""

import asyncio
import statistics
import time
from collections import Counter
from contextlib import AsyncExitStack
from itertools import chain

from tests.support.databases import fresh_database
from tests.support.raw_http import Wire, wire
from tests.support.served import served

HALF_OPEN, OTHERS, SECONDS = 150, 10, 25
HEAD = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n"
BEGUN = {
    "silent": b"",
    "in a head": HEAD,
    "in a body": HEAD + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
}
GOOD = b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n"


async def hold(connection: Wire, begun: bytes) -> tuple[float, str]:
    """Begin a request, add a byte each second, and tell when and how it was ended."""
    began = time.monotonic()
    await connection.send(begun)
    dripping = asyncio.create_task(_drip(connection, bool(begun)))
    answers = await connection.answers_to_the_end()
    dripping.cancel()
    return time.monotonic() - began, str(answers[0].status) if answers else "closed"


async def _drip(connection: Wire, drips: bool) -> None:
    while drips:
        await asyncio.sleep(1)
        await connection.send(b"x")


async def ask(port: int, until: float) -> list[float]:
    times = []
    async with wire(port) as connection:
        while time.monotonic() < until:
            began = time.monotonic()
            await connection.send(GOOD)
            assert (await connection.answer()).status == 200
            times.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
    return times


def row(name: str, times: list[float]) -> str:
    ordered = sorted(times)
    cuts = [ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.95, 0.99)]
    return f"{name:<24}{len(times):>9}" + "".join(
        f"{cut:>9.1f}" for cut in (*cuts, ordered[-1] * 1000)
    )


async def main() -> None:
    with fresh_database("sqlite") as url:
        async with served(url) as service, AsyncExitStack() as held:
            port = service.http_port
            alone = await asyncio.gather(*(ask(port, time.monotonic() + 5) for _ in range(OTHERS)))
            slow = [await held.enter_async_context(wire(port)) for _ in range(HALF_OPEN)]
            kinds = [list(BEGUN)[number % len(BEGUN)] for number in range(HALF_OPEN)]
            holding = asyncio.gather(*(hold(c, BEGUN[k]) for c, k in zip(slow, kinds, strict=True)))
            until = time.monotonic() + SECONDS
            beside = await asyncio.gather(*(ask(port, until) for _ in range(OTHERS)))
            ends = await holding
    print(f"{'others, in ms':<24}{'requests':>9}{'p50':>9}{'p95':>9}{'p99':>9}{'worst':>9}")
    print(row("alone", list(chain(*alone))))
    print(row(f"beside {HALF_OPEN} half-open", list(chain(*beside))))
    print(f"\n{'half-open':<24}{'dropped':>9}{'after':>9}  answers")
    for kind in BEGUN:
        mine = [end for end, its in zip(ends, kinds, strict=True) if its == kind]
        after = statistics.median(seconds for seconds, _ in mine)
        told = dict(Counter(answer for _, answer in mine))
        print(f"{kind:<24}{len(mine):>9}{after:>7.1f} s  {told}")


if __name__ == "__main__":
    asyncio.run(main())
