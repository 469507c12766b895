"""What the service counts of itself, and the port over which the counts leave.

A metric is said where it happens, as a log line is, so whoever counts needs to know neither
Prometheus nor who listens. Until a meter is installed in the process nothing is counted.
"""

import functools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from service.core.errors import Refusal

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From an answer out of memory to the longest that a call may take, two or three to a decade."""
SHORT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
WAIT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DELAY_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0)
"""Close together below 1 s, the bound within which a revocation reaches every worker."""

Labels = tuple[str, ...]
P = ParamSpec("P")
R = TypeVar("R")
Method = Callable[P, Coroutine[Any, Any, R]]


class Meter(Protocol):
    """Takes what is measured; quick, never raising, and safe in every thread."""

    def count(self, metric: "Counter", labels: Labels, amount: float) -> None: ...

    def show(self, metric: "Gauge", labels: Labels, value: float) -> None: ...

    def observe(self, metric: "Histogram", labels: Labels, value: float) -> None: ...


_meter: Meter | None = None


def install(meter: Meter | None) -> None:
    """Have ``meter`` take all that this process measures; None for nobody."""
    global _meter
    _meter = meter


def is_measured() -> bool:
    """Whether anybody takes what is measured."""
    return _meter is not None


@contextmanager
def measured_by(meter: Meter) -> Iterator[None]:
    """``install`` for the length of a block."""
    before = _meter
    install(meter)
    try:
        yield
    finally:
        install(before)


@dataclass(frozen=True, eq=False, slots=True)
class Metric:
    """One metric by its Prometheus name; ``help`` says what it means, ``labels`` what parts it.

    Every label's values are few and our own words: a caller's never become one.
    """

    name: str
    help: str
    labels: Labels = ()


@dataclass(frozen=True, eq=False, slots=True)
class Counter(Metric):
    """Only ever rises. One that is said several times a request is told ``late``, half a second."""

    late: bool = False

    def add(self, *labels: str, amount: float = 1) -> None:
        if _meter is not None:
            _meter.count(self, labels, amount)


@dataclass(frozen=True, eq=False, slots=True)
class Gauge(Metric):
    """How it stands now in this worker; of several workers the sum counts, or the ``worst``."""

    worst: bool = False

    def show(self, value: float, *labels: str) -> None:
        if _meter is not None:
            _meter.show(self, labels, value)


@dataclass(frozen=True, eq=False, slots=True)
class Histogram(Metric):
    """How long something took, in seconds, sorted into ``buckets`` by their upper ends."""

    buckets: tuple[float, ...] = REQUEST_SECONDS

    def observe(self, seconds: float, *labels: str) -> None:
        if _meter is not None:
            _meter.observe(self, labels, seconds)


def counted(metric: Counter) -> Callable[[Method[P, R]], Method[P, R]]:
    """Count the calls of a method by how they end: ok, or the code of the refusal."""

    def declare(method: Method[P, R]) -> Method[P, R]:
        @functools.wraps(method)
        async def counting(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                answer = await method(*args, **kwargs)
            except Refusal as refusal:
                metric.add(refusal.code)
                raise
            metric.add("ok")
            return answer

        return counting

    return declare


# --- the doors ------------------------------------------------------------------------------------

REQUESTS = Counter(
    "arcana_requests_total",
    "Requests that ended, by the refusal's code or ok.",
    ("door", "operation", "code"),
)
REQUEST_DURATION = Histogram(
    "arcana_request_duration_seconds",
    "Seconds from a request's head to its answer.",
    ("door", "operation"),
)
IN_FLIGHT = Gauge("arcana_requests_in_flight", "Requests being answered now.", ("door",))
CONNECTIONS = Gauge("arcana_connections", "Connections that are open now.", ("door",))
DRAINS = Counter(
    "arcana_drains_total",
    "Workers that stopped: complete when every request was answered, cut when some were not.",
    ("outcome",),
)

# --- signing in -----------------------------------------------------------------------------------

LOGINS = Counter("arcana_logins_total", "Log-ins, by the refusal's code or ok.", ("outcome",))
REFRESHES = Counter(
    "arcana_refreshes_total",
    "Refresh tokens presented, by the refusal's code or ok.",
    ("outcome",),
)
REUSES = Counter(
    "arcana_refresh_reuses_total",
    "Refresh tokens presented after their time, whose session was ended for it.",
)
LIMITED = Counter("arcana_limited_total", "Tries refused by a limit, by its kind.", ("kind",))
HASHING_QUEUE = Gauge("arcana_hashing_queue", "Passwords that are being hashed or wait for it now.")
HASHING_WAIT = Histogram(
    "arcana_hashing_wait_seconds",
    "Seconds a password waited for a thread.",
    buckets=WAIT_SECONDS,
)
HASHINGS = Counter(
    "arcana_hashings_total",
    "Passwords taken to be hashed or verified, or refused because too many waited.",
    ("outcome",),
)

# --- what is remembered ---------------------------------------------------------------------------

CACHE_READS = Counter(
    "arcana_cache_reads_total",
    "Reads of cached data: found in memory, found in redis, a miss, or bypassed.",
    ("kind", "tier"),
    late=True,
)
CACHE_ERRORS = Counter(
    "arcana_cache_errors_total", "Questions that Redis did not answer or refused.", ("operation",)
)
CACHE_AWAY = Gauge("arcana_cache_away", "Workers that take Redis for away and do not ask it.")
FEED_LAG = Gauge(
    "arcana_change_feed_lag_seconds",
    "Seconds since the change feed was last read, in the worker that is furthest behind.",
    worst=True,
)
REVOCATION_DELAY = Histogram(
    "arcana_revocation_delay_seconds",
    "Seconds from the write of a change to when a worker other than its own applied it.",
    buckets=DELAY_SECONDS,
)

# --- events ---------------------------------------------------------------------------------------

EVENTS_PUBLISHED = Counter(
    "arcana_events_published_total",
    "Events that were committed with their cause, by what they are about.",
    ("about",),
)
DELIVERIES = Counter(
    "arcana_deliveries_total",
    "Tries to tell a sink of an event: taken, refused, or given_up, the last refusal of all.",
    ("sink", "outcome"),
)
RELAYING = Gauge("arcana_relaying", "Processes that tell sinks of events now: one of all, or none.")
EVENT_LAG = Gauge(
    "arcana_event_lag_seconds",
    "Seconds since the oldest event happened of which a sink has not been told.",
    ("sink",),
    worst=True,
)
EVENTS_BEHIND = Gauge(
    "arcana_events_behind", "Events that sinks have not come to yet, summed over them.", ("sink",)
)
EVENTS_PARKED = Gauge(
    "arcana_events_parked",
    "Events that sinks did not take: waiting to be told again, or dead.",
    ("sink", "state"),
)
SINKS_OFF = Gauge(
    "arcana_sinks_off",
    "Sinks that nobody tells now, disabled or taken away, for which events are kept all the same.",
    ("sink",),
)
WATCHERS = Gauge("arcana_watchers", "Open watches of users.")
WATCH_MESSAGES = Counter(
    "arcana_watch_messages_total", "Messages that watchers were sent, by their kind.", ("kind",)
)
WATCH_BLIND = Gauge(
    "arcana_watch_blind", "Workers whose watchers wait, because new events cannot be read."
)
PUSHES = Histogram(
    "arcana_sync_push_seconds",
    "Seconds that a push of a user to a directory took, by directory and outcome.",
    ("directory", "outcome"),
)

# --- the database ---------------------------------------------------------------------------------

DATABASE_COMMANDS = Histogram(
    "arcana_database_command_seconds",
    "Seconds a command took, with its wait for a connection, by outcome.",
    ("outcome",),
    SHORT_SECONDS,
)
POOL_WAIT = Histogram(
    "arcana_database_pool_wait_seconds",
    "Seconds waited for a connection, by those who had to wait.",
    buckets=WAIT_SECONDS,
)
POOL_TIMEOUTS = Counter(
    "arcana_database_pool_timeouts_total", "Commands given up because no connection was free."
)
POOL = Gauge(
    "arcana_database_pool",
    "Connections that may be open (size), those in_use, and commands waiting for one.",
    ("state",),
)
DATABASE_AWAY = Gauge("arcana_database_away", "Workers that take the database for away.")

# --- the process ----------------------------------------------------------------------------------

LOOP_LAG = Histogram(
    "arcana_event_loop_lag_seconds",
    "Seconds that a worker's event loop woke too late.",
    buckets=SHORT_SECONDS,
)

ALL: tuple[Metric, ...] = tuple(
    metric for metric in list(globals().values()) if isinstance(metric, Metric)
)
"""Every metric of a worker; ``service/infra/telemetry/exposition.py`` adds the parent's."""
