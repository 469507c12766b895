"""What is measured, and how a worker writes it down."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from service.core import metrics
from service.core.errors import InvalidToken
from service.infra.hashing import Argon2Hasher
from service.infra.telemetry import sampler
from service.infra.telemetry.exposition import Tree
from service.infra.telemetry.folder import metrics_folder
from service.infra.telemetry.prometheus import FOLDER, OTHER, SERIES_MAX, PrometheusMeter
from service.infra.telemetry.prometheus import meter_of_this_process as meter_of
from tests.support.scrape import Scrape

ROOT = Path(__file__).resolve().parents[2]


class Measured:
    """A meter of this process, and what Prometheus would read of it."""

    def __init__(self, meter: PrometheusMeter, tree: Tree) -> None:
        self.meter, self._tree = meter, tree

    def read(self) -> Scrape:
        self.meter.settle()
        registry = CollectorRegistry()
        registry.register(self._tree)
        return Scrape(generate_latest(registry).decode())


@pytest.fixture
def measured() -> Iterator[Measured]:
    with metrics_folder() as folder:
        made = Measured(PrometheusMeter(folder.path), Tree(folder))
        with metrics.measured_by(made.meter):
            yield made
        made.meter.close()


def test_a_process_that_nobody_reads_has_no_meter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    assert meter_of() is None
    monkeypatch.setenv(FOLDER, str(tmp_path))
    made = meter_of()
    assert made is not None
    made.close()


def test_what_is_said_is_what_is_read(measured: Measured) -> None:
    metrics.REQUESTS.add("http", "getUser", "ok")
    metrics.REQUESTS.add("http", "getUser", "ok", amount=2)
    metrics.REQUESTS.add("grpc", "getUser", 'a"b\n')
    metrics.CACHE_READS.add("userfacts", "memory")
    metrics.POOL.show(3, "in_use")
    metrics.POOL.show(2, "in_use")
    for seconds in (0.001, 0.0011, 100.0):
        metrics.REQUEST_DURATION.observe(seconds, "http", "getUser")
    found = measured.read()
    assert found.of("arcana_requests_total", door="http") == 3
    assert found.of("arcana_requests_total", code='a"b\n') == 1
    assert found.of("arcana_cache_reads_total", kind="userfacts", tier="memory") == 1
    assert found.of("arcana_database_pool", state="in_use") == 2
    buckets = {"0.001": 1, "0.0025": 2, "10.0": 2, "+Inf": 3}
    name = "arcana_request_duration_seconds"
    assert {end: found.of(f"{name}_bucket", le=end) for end in buckets} == buckets
    assert found[f"{name}_count"] == 3
    assert found[f"{name}_sum"] == pytest.approx(100.0021)


def test_what_has_no_labels_is_told_from_the_start(measured: Measured) -> None:
    names = {family.name for family in measured.read().families}
    for metric in metrics.ALL:
        if not metric.labels:
            assert metric.name.removesuffix("_total") in names


def test_labels_beyond_reason_are_one_more(measured: Measured) -> None:
    for number in range(SERIES_MAX + 50):
        metrics.LIMITED.add(str(number))
    found = measured.read()
    assert found["arcana_limited_total"] == SERIES_MAX + 50
    assert found.of("arcana_limited_total", kind=OTHER) == 50


def test_threads_lose_nothing(measured: Measured) -> None:
    def say(_: int) -> None:
        metrics.HASHING_WAIT.observe(0.02)
        metrics.HASHINGS.add("taken")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(say, range(5_000)))
    found = measured.read()
    assert found["arcana_hashing_wait_seconds_count"] == 5_000
    assert found["arcana_hashings_total"] == 5_000


async def test_calls_are_counted_by_how_they_end(measured: Measured) -> None:
    @metrics.counted(metrics.LOGINS)
    async def login(fails: type[Exception] | None) -> str:
        if fails:
            raise fails
        return "in"

    assert await login(None) == "in"
    for fails in (InvalidToken, RuntimeError):
        with pytest.raises(fails):
            await login(fails)
    found = measured.read()
    assert found.of("arcana_logins_total", outcome="ok") == 1
    assert found.of("arcana_logins_total", outcome=InvalidToken.code) == 1
    assert found["arcana_logins_total"] == 2


async def test_the_hashing_lane_tells_how_full_it_is(measured: Measured) -> None:
    hasher = Argon2Hasher(memory=64, passes=1, threads=1, queue=1)
    work = [asyncio.create_task(hasher.hash("a password")) for _ in range(5)]
    ends = await asyncio.gather(*work, return_exceptions=True)
    hasher.close()
    refused = sum(isinstance(end, Exception) for end in ends)
    found = measured.read()
    assert refused > 0
    assert found.of("arcana_hashings_total", outcome="refused") == refused
    assert found["arcana_hashing_wait_seconds_count"] == 5 - refused
    assert hasher.load == 0


async def test_a_blind_look_does_not_close_the_others(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = asyncio.Event()

    def blind() -> None:
        raise RuntimeError

    monkeypatch.setattr(sampler, "EVERY", 0.01)
    looking = sampler.Sampler([blind, looked.set])
    looking.start()
    async with asyncio.timeout(10):
        await looked.wait()
        while not measured.read()["arcana_event_loop_lag_seconds_count"]:
            await asyncio.sleep(0.01)
    looked.clear()
    await looking.stop()
    assert looked.is_set()  # once more at the end


def test_names_are_prometheus_own_way() -> None:
    for metric in metrics.ALL:
        assert re.fullmatch(r"arcana_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == isinstance(metric, metrics.Counter)
        if isinstance(metric, metrics.Histogram):
            assert metric.name.endswith("_seconds")
            assert list(metric.buckets) == sorted(metric.buckets)


def test_the_page_and_the_dashboard_know_every_metric_and_no_other() -> None:
    text = (ROOT / "docs/observability.md").read_text()
    explained = set(re.findall(r"^\| `(arcana_\w+)", text, re.MULTILINE))
    with metrics_folder() as folder:
        parents = {
            family.name + ("_total" if family.type == "counter" else "")
            for family in Tree(folder).collect()
        }
    shown = (ROOT / "deploy/grafana/arcana.json").read_text()
    assert explained == {metric.name for metric in metrics.ALL} | parents
    assert _named_in(text) <= explained
    assert _named_in(shown) == explained  # the dashboard leaves none out


def _named_in(text: str) -> set[str]:
    names = re.findall(r"\barcana_\w+", text)
    return {re.sub("(_bucket|_count|_sum)$", "", name) for name in names}
