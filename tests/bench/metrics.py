"""make bench-metrics: what watching costs a request, side by side.

One service in this process answers ``GET /auth/me`` out of memory, the cheapest thing it does for
somebody signed in, over one kept connection. The ways of watching take turns, a batch each, so that
whatever else the machine does hits all alike; what is told is CPU time of the whole process, client
included. A batch that was disturbed only ever takes longer, so the fastest twentieth of the batches
is compared; the median stands beside it. The process ends with 1 when metrics add more than
``BOUND`` microseconds.
"""

import asyncio
import logging
import os
import statistics
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from config import logging as logs
from service.core import metrics, tracing
from service.infra.telemetry.otel import OtelTracer
from service.infra.telemetry.prometheus import PrometheusMeter
from tests.support.databases import fresh_database
from tests.support.live import Live, live_service

BATCH, TURNS, BOUND = 100, 200, 10.0
Way = tuple[str, metrics.Meter | None, tracing.Tracer | None, bool]


class Nowhere(SpanExporter):
    """Sends nothing; what sending costs is paid by a thread, and depends on the collector."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


@contextmanager
def watched_as(way: Way) -> Iterator[None]:
    _, meter, tracer, logged = way
    metrics.install(meter)
    tracing.install(tracer)
    logging.getLogger("arcana.access").disabled = not logged
    try:
        yield
    finally:
        metrics.install(None)
        tracing.install(None)


async def batch(live: Live, request: bytes) -> float:
    """CPU microseconds a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", live.http_port)
    began = time.process_time()
    for _ in range(BATCH):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        await reader.readexactly(length)
    spent = time.process_time() - began
    writer.close()
    await writer.wait_closed()
    return spent / BATCH * 1e6


async def whole(ways: Sequence[Way]) -> float:
    """Print the table; what metrics add."""
    taken: dict[str, list[float]] = {name: [] for name, *_ in ways}
    with fresh_database("sqlite") as url:
        async with live_service(url) as live:
            ada = await live.people.signed_in("Ada")
            bearer = f"Authorization: Bearer {ada.access}"
            request = f"GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n{bearer}\r\n\r\n".encode()
            for turn in range(TURNS + 2):
                for way in ways if turn % 2 else reversed(ways):
                    with watched_as(way):
                        took = await batch(live, request)
                    if turn > 1:  # the first two warm up
                        taken[way[0]].append(took)
    print(
        f"\n  GET /auth/me, {TURNS} turns of {BATCH} requests     fastest   added  median   µs CPU"
    )
    fastest = {name: statistics.quantiles(values, n=20)[0] for name, values in taken.items()}
    base = fastest[ways[0][0]]
    for name, values in taken.items():
        least, median = fastest[name], statistics.median(values)
        print(f"  {name:<46}{least:>8.1f}{least - base:>+8.1f}{median:>8.1f}")
    return fastest["metrics"] - base


def parts(meter: metrics.Meter, tracer: tracing.Tracer) -> None:
    """What each thing said costs by itself, where nobody listens and where somebody does."""
    cases: dict[str, Callable[[], object]] = {
        "a counter, three labels": lambda: metrics.REQUESTS.add("http", "getUser", "ok"),
        "a histogram, two labels": lambda: metrics.REQUEST_DURATION.observe(
            0.002, "http", "getUser"
        ),
        "a counter, two labels": lambda: metrics.CACHE_READS.add("standing", "memory"),
        "a step of a trace": _step,
    }
    print(f"\n  {'one of':<42}{'off':>8}{'on':>8}   µs")
    for name, case in cases.items():
        off = _each(case)
        with metrics.measured_by(meter), tracing.traced_by(tracer), tracing.door({}):
            on = _each(case)
        print(f"  {name:<42}{off:>8.2f}{on:>8.2f}")


def _step() -> None:
    with tracing.step("service", "UserService.get"):
        pass


def _each(case: Callable[[], object], number: int = 20_000) -> float:
    return min(timeit.repeat(case, number=number, repeat=5)) / number * 1e6


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        meter, tracer = PrometheusMeter(Path(folder)), OtelTracer(Nowhere())
        return compare(meter, tracer)


def compare(meter: metrics.Meter, tracer: tracing.Tracer) -> int:
    """Print all; 1 when metrics cost more than they may."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # a device
        logs.configure("json", "info", stream=nowhere)
        parts(meter, tracer)
        ways: list[Way] = [
            ("nothing", None, None, False),
            ("metrics", meter, None, False),
            ("a log line", None, None, True),
            ("metrics, a log line", meter, None, True),
            ("metrics, a log line, traces", meter, tracer, True),
        ]
        added = asyncio.run(whole(ways))
    print(f"\n  metrics add {added:.1f} µs a request; at most {BOUND:.0f} are allowed")
    return int(added > BOUND)


if __name__ == "__main__":
    sys.exit(main())
