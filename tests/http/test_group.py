"""The metrics of a group of workers: sums that never fall, and gauges for each."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from authz_service.http.group import GroupCollector, WorkerReport


def families(count, revision=1):
    decisions = CounterMetricFamily("decisions", "Asked.", labels=["outcome"])
    decisions.add_metric(["permit"], count)
    seconds = HistogramMetricFamily("seconds", "Time.", labels=["method"])
    seconds.add_metric(["m"], buckets=[("0.5", count), ("+Inf", 2 * count)], sum_value=count)
    return [decisions, seconds, GaugeMetricFamily("revision", "Applied.", value=revision)]


def page(collector):
    registry = CollectorRegistry()
    registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_counted_is_summed_and_measured_is_told_of_each():
    collector = GroupCollector(
        lambda: [WorkerReport(0, 0, True, families(3, 7)), WorkerReport(1, 2, True, families(4, 8))]
    )
    assert page(collector) == {
        'authz_worker_up{worker="0"}': "1.0",
        'authz_worker_up{worker="1"}': "1.0",
        'authz_worker_ready{worker="0"}': "1.0",
        'authz_worker_ready{worker="1"}': "1.0",
        'authz_worker_restarts_total{worker="0"}': "0.0",
        'authz_worker_restarts_total{worker="1"}': "2.0",
        'decisions_total{outcome="permit"}': "7.0",
        'seconds_bucket{le="0.5",method="m"}': "7.0",
        'seconds_bucket{le="+Inf",method="m"}': "14.0",
        'seconds_count{method="m"}': "14.0",
        'seconds_sum{method="m"}': "7.0",
        'revision{worker="0"}': "7.0",
        'revision{worker="1"}': "8.0",
    }


def test_a_sum_never_falls():
    other = WorkerReport(1, 0, True, families(1))
    history = [
        (WorkerReport(0, 0, True, families(3)), "4.0", "1.0"),
        (WorkerReport(0, 0, True, None), "4.0", "0.0"),  # does not answer
        (WorkerReport(0, 0, True, families(5)), "6.0", "1.0"),
        (WorkerReport(0, 0, False, None), "6.0", "0.0"),  # has ended
        (WorkerReport(0, 1, False, None), "6.0", "0.0"),  # its successor loads
        (WorkerReport(0, 1, False, families(0)), "6.0", "1.0"),
        (WorkerReport(0, 1, True, families(2)), "8.0", "1.0"),
        (WorkerReport(0, 3, True, families(1)), "9.0", "1.0"),
    ]
    reports = iter(history)
    collector = GroupCollector(lambda: [next(reports)[0], other])
    for report, total, up in history:
        found = page(collector)
        assert found['decisions_total{outcome="permit"}'] == total
        assert found['authz_worker_up{worker="0"}'] == up
        assert ('revision{worker="0"}' in found) == (report.families is not None)
        assert float(found['authz_worker_ready{worker="0"}']) == (
            report.is_listening and report.families is not None
        )
