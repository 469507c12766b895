"""The meter of a worker: values in memory that is mapped to files, which the parent sums."""

import os
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.utils import floatToGoString

from service.core.metrics import ALL, Counter, Gauge, Histogram, Labels, Metric

FOLDER = "ARCANA_METRICS_FOLDER"
"""The variable in which a worker is told where its parent reads."""
SERIES_MAX = 500
"""Label sets of one metric. Ours are far fewer; whatever came beyond is one more, OTHER."""
OTHER = "other"


def meter_of_this_process() -> "PrometheusMeter | None":
    """The meter, when the process that started this one reads what it writes."""
    folder = os.environ.get(FOLDER)
    return PrometheusMeter(Path(folder)) if folder else None


class _File:
    """The values of one kind in this process, as prometheus_client's collector reads them."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._file = MmapedDict(str(folder / f"{kind}_{os.getpid()}.db"))
        self.close: Callable[[], None] = self._file.close

    def value(self, metric: Metric, family: str, name: str, labels: dict[str, str]) -> "_Value":
        """A value of ``name``, which belongs to ``family``; it stands there from now on."""
        key = mmap_key(family, name, list(labels), list(labels.values()), metric.help)
        return _Value(self._file, key)


class _Value:
    """One number in a file. Its writer keeps it, so adding reads nothing."""

    __slots__ = ("_key", "_number", "_write")

    def __init__(self, file: MmapedDict, key: str) -> None:
        self._write: Callable[[str, float, float], None] = file.write_value
        self._key, self._number = key, 0.0
        self.set(0.0)

    def add(self, amount: float) -> None:
        self._number = number = self._number + amount
        self._write(self._key, number, 0.0)

    def set(self, number: float) -> None:
        self._number = number
        self._write(self._key, number, 0.0)


class _Spread:
    """The sum and the buckets of a histogram."""

    __slots__ = ("_buckets", "_ends", "_sum")

    def __init__(self, ends: tuple[float, ...], total: _Value, buckets: list[_Value]) -> None:
        self._ends, self._sum, self._buckets = ends, total, buckets

    def add(self, seconds: float) -> None:
        self._sum.add(seconds)
        self._buckets[bisect_left(self._ends, seconds)].add(1)


class PrometheusMeter:
    """A ``Meter`` whose values a worker's death does not lose: each is in its file at once.

    Counts told late are not: they are written at each ``settle``.

    prometheus_client's own instruments write the same files for three times the cost; its
    collector and its text format are what Prometheus sees.
    """

    def __init__(self, folder: Path) -> None:
        kinds = ("counter", "histogram", "gauge_livesum", "gauge_livemax")
        self._files = {kind: _File(folder, kind) for kind in kinds}
        self._values: dict[tuple[Metric, Labels], _Value] = {}
        self._spreads: dict[tuple[Metric, Labels], _Spread] = {}
        self._series = dict.fromkeys(ALL, 0)
        self._lock = threading.Lock()
        self._late: defaultdict[tuple[Counter, Labels], float] = defaultdict(float)
        for metric in ALL:
            if not metric.labels:
                self._begin(metric)

    def count(self, metric: Counter, labels: Labels, amount: float) -> None:
        with self._lock:
            if metric.late:
                self._late[metric, labels] += amount
                return
            (self._values.get((metric, labels)) or self._value(metric, labels)).add(amount)

    def settle(self) -> None:
        """Write down what was counted to be told late."""
        with self._lock:
            late, self._late = self._late, defaultdict(float)
            for (metric, labels), amount in late.items():
                self._value(metric, labels).add(amount)

    def show(self, metric: Gauge, labels: Labels, value: float) -> None:
        with self._lock:
            self._value(metric, labels).set(value)

    def observe(self, metric: Histogram, labels: Labels, value: float) -> None:
        with self._lock:
            (self._spreads.get((metric, labels)) or self._spread(metric, labels)).add(value)

    def close(self) -> None:
        """Let go of the files; nothing may be measured any more."""
        for file in self._files.values():
            file.close()

    def _begin(self, metric: Metric) -> None:
        """Tell a 0 from the start where it is known what to tell it of."""
        match metric:
            case Histogram():
                self._spread(metric, ())
            case Counter() | Gauge():
                self._value(metric, ())

    def _value(self, metric: Counter | Gauge, labels: Labels) -> _Value:
        if known := self._values.get((metric, labels)):
            return known
        key = metric, self._bounded(metric, labels)
        if key not in self._values:
            kind = "counter"
            if isinstance(metric, Gauge):
                kind = "gauge_livemax" if metric.worst else "gauge_livesum"
            named, family = dict(zip(metric.labels, key[1], strict=True)), _family(metric)
            self._values[key] = self._files[kind].value(metric, family, metric.name, named)
        return self._values[key]

    def _spread(self, metric: Histogram, labels: Labels) -> _Spread:
        key = metric, self._bounded(metric, labels)
        if key not in self._spreads:
            named, file = dict(zip(metric.labels, key[1], strict=True)), self._files["histogram"]
            total = file.value(metric, metric.name, f"{metric.name}_sum", named)
            buckets = [
                file.value(metric, metric.name, f"{metric.name}_bucket", {**named, "le": end})
                for end in map(floatToGoString, (*metric.buckets, float("inf")))
            ]
            self._spreads[key] = _Spread(metric.buckets, total, buckets)
        return self._spreads[key]

    def _bounded(self, metric: Metric, labels: Labels) -> Labels:
        if self._series[metric] >= SERIES_MAX:
            return (OTHER,) * len(metric.labels)
        self._series[metric] += 1
        return labels


def _family(metric: Metric) -> str:
    return metric.name.removesuffix("_total")
