"""What the guard below Sanic costs and keeps out, beside the same service without it."""

import asyncio
import statistics
import sys
import time
import timeit
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import uvloop
from sanic import Sanic
from sanic.response import HTTPResponse
from sanic.server import HttpProtocol

from service.transport.http.connections import GuardedProtocol
from service.transport.http.framing import head_fault
from service.transport.http.requests import Request
from tests.support.framings import BAD, CHUNKED, LAST, get, post
from tests.support.http_door import Door
from tests.support.raw_http import wire

ROUNDS, REQUESTS, CLIENTS = 7, 2000, 16
BROWSER = get(
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    b"Accept: application/json",
    b"Accept-Encoding: gzip, deflate, br",
    b"Authorization: Bearer " + b"x" * 400,
    b"X-Request-ID: 0123456789abcdef",
    b"Cookie: a=b; c=d",
)
REQUESTS_OF = {
    "small head": get(),
    "head of a browser": BROWSER,
    "200 bytes": post(b"Content-Length: 200", b"x" * 200),
    "4 chunks of 50": post(CHUNKED, (b"32\r\n" + b"x" * 50 + b"\r\n") * 4 + LAST),
}
SLOW = {
    "blanks, then a bad byte": b"GET / HTTP/1.1\r\nhost:" + b" " * 8000 + b"\x01",
    "blanks in Content-Length": b"GET / HTTP/1.1\r\nhost: a\r\nContent-Length:"
    + b" " * 8000
    + b"x",
    "a method of 8,000": b"A" * 8000 + b" / HTTP/1.1",
    "2,000 headers, bad end": b"GET / HTTP/1.1\r\nhost: a" + b"\r\na:" * 2000 + b"\r\n",
}


@asynccontextmanager
async def listening(protocol: type[HttpProtocol]) -> AsyncIterator[int]:
    door = Door()

    async def echo(request: Request) -> HTTPResponse:
        return HTTPResponse(request.body)

    door.app.add_route(echo, "/echo", ["GET", "POST"], name="echo")
    door.app.add_route(echo, "/smuggled", ["GET"], name="smuggled")
    async with door.served(protocol=protocol) as port:
        yield port


async def cost(port: int, kind: str) -> float:
    """CPU of this process for one request, in µs; the clients are another process."""
    command = [sys.executable, "-m", "tests.bench.framing", str(port), kind]
    began = time.process_time()
    clients = await asyncio.create_subprocess_exec(*command)
    assert await clients.wait() == 0
    return (time.process_time() - began) / REQUESTS * 1e6


async def ask(port: int, data: bytes, times: int) -> None:
    async with wire(port) as connection:
        for _ in range(times):
            await connection.send(data)
            assert (await connection.answer()).status == 200


async def clients(port: int, kind: str) -> None:
    """What the other process does."""
    await asyncio.gather(
        *(ask(port, REQUESTS_OF[kind], REQUESTS // CLIENTS) for _ in range(CLIENTS))
    )


async def let_through(port: int) -> int:
    """How many of the bad requests are not refused with one 400 and a closed socket."""
    passed = 0
    for data in BAD.values():
        async with wire(port) as connection:
            await connection.send(data)
            try:
                async with asyncio.timeout(1):
                    answers = await connection.answers_to_the_end()
                passed += [one.status for one in answers if one.status != 100] != [400]
            except (TimeoutError, ConnectionError, AssertionError, ValueError):
                passed += 1
    return passed


async def main() -> None:
    Sanic.test_mode = True
    print("The rule alone, µs a head:")
    for name, head in {
        **{n: d.split(b"\r\n\r\n")[0] for n, d in REQUESTS_OF.items()},
        **SLOW,
    }.items():
        once = min(timeit.repeat(partial(head_fault, head), number=500, repeat=5)) / 500
        print(f"  {name:28}{len(head):6} bytes {once * 1e6:8.2f}")
    async with listening(GuardedProtocol) as guarded, listening(HttpProtocol) as bare:
        print(f"\nCPU µs a request, medians of {ROUNDS} rounds of {REQUESTS}, {CLIENTS} clients:")
        print(f"  {'':28}{'with':>8}{'without':>9}{'more':>8}{'ratio':>7}")
        for kind in REQUESTS_OF:
            pairs = [(await cost(guarded, kind), await cost(bare, kind)) for _ in range(ROUNDS)]
            ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
            more = statistics.median(a - b for a, b in pairs)
            print(f"  {kind:28}{ours:8.1f}{theirs:9.1f}{more:8.1f}{ours / theirs:7.2f}")
        print(f"\nOf {len(BAD)} bad requests not refused with one 400 and a closed socket:")
        print(f"  with {await let_through(guarded)}, without {await let_through(bare)}")


if __name__ == "__main__":
    uvloop.run(clients(int(sys.argv[1]), sys.argv[2]) if sys.argv[1:] else main())
