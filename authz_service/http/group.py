"""The metrics of several workers as those of one service.

Rule 1: what is counted is summed over the workers; what is measured (gauges) is told of each, by its number.
Rule 2: a sum never falls. What a worker has counted stays in it when the worker does not answer or has ended,
    as it was when it was last asked.
Rule 3: a worker that does not answer in time is down, and nobody waits for it.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SUMMED: Final = frozenset({"counter", "histogram"})


class WorkerReport(NamedTuple):
    """What is known about a worker: its number, and of the process that it is now, which of its kind it is."""

    number: int
    restarts: int
    is_listening: bool
    families: Sequence[Metric] | None
    """What it answered, None if it did not."""


class GroupCollector(Collector):
    """Makes one page of what `ask` hears from all workers."""

    def __init__(self, ask: Callable[[], Sequence[WorkerReport]]) -> None:
        self._ask = ask
        self._heard: dict[tuple[int, int], Sequence[Metric]] = {}
        """What each process said when it was last asked, by number and restarts."""
        # What those of before had said, added up.
        self._ended: Sequence[Metric] = ()
        # Of two that ask at a time, the one that heard less must not have the last word.
        self._lock = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            reports = self._ask()
            self._remember(reports)
            counted = [self._ended, *self._heard.values()]
        yield from _states(reports)
        yield from summed(counted)
        yield from _measured(reports)

    def _remember(self, reports: Sequence[WorkerReport]) -> None:
        now = {(report.number, report.restarts) for report in reports}
        former = [self._heard.pop(process) for process in self._heard.keys() - now]
        self._ended = list(summed([self._ended, *former]))
        for report in reports:
            if report.families is not None:
                self._heard[report.number, report.restarts] = report.families


def summed(groups: Iterable[Iterable[Metric]]) -> Iterator[Metric]:
    """Yield the counters and histograms of all groups, added up."""
    totals: dict[str, tuple[Metric, dict[tuple[str, frozenset[tuple[str, str]]], float]]] = {}
    for group in groups:
        for family in group:
            if family.type in _SUMMED:
                _, samples = totals.setdefault(family.name, (family, {}))
                for sample in family.samples:
                    key = sample.name, frozenset(sample.labels.items())
                    samples[key] = samples.get(key, 0) + sample.value
    for family, samples in totals.values():
        total = _empty(family)
        for (name, labels), value in samples.items():
            total.add_sample(name, dict(labels), value)
        yield total


def _measured(reports: Iterable[WorkerReport]) -> Iterator[Metric]:
    families: dict[str, Metric] = {}
    for report in reports:
        for family in report.families or ():
            if family.type not in _SUMMED:
                each = families.setdefault(family.name, _empty(family))
                for sample in family.samples:
                    labels = {**sample.labels, "worker": str(report.number)}
                    each.add_sample(sample.name, labels, sample.value)
    yield from families.values()


def _states(reports: Iterable[WorkerReport]) -> Iterator[Metric]:
    up = GaugeMetricFamily("authz_worker_up", "Whether the worker answers.", labels=["worker"])
    ready = GaugeMetricFamily(
        "authz_worker_ready", "Whether the worker answers and accepts requests.", labels=["worker"]
    )
    restarts = CounterMetricFamily(
        "authz_worker_restarts", "Workers replaced since they ended unasked.", labels=["worker"]
    )
    for number, restarted, is_listening, families in reports:
        up.add_metric([str(number)], families is not None)
        ready.add_metric([str(number)], families is not None and is_listening)
        restarts.add_metric([str(number)], restarted)
    yield from (up, ready, restarts)


def _empty(family: Metric) -> Metric:
    return Metric(family.name, family.documentation, family.type, family.unit)
