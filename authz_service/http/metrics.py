"""The Prometheus metrics of one server, read from its plain counters when somebody asks."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from authz_service.engine.engines import LoadedPolicy
from authz_service.replica.replica import Replica
from authz_service.replica.uptime import uptime
from authz_service.telemetry import LATENCY_BUCKETS, Telemetry


class MetricsServer:
    """Serves `/metrics` from a thread of its own, until `close`."""

    def __init__(self, host: str, port: int, collector: Collector) -> None:
        registry = CollectorRegistry()
        registry.register(collector)
        self._server, self._thread = start_http_server(port, host, registry)
        self.port: int = self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class ServerCollector(Collector):
    """Turns the counters, and what the replica holds, into metric families."""

    def __init__(self, telemetry: Telemetry, replica: Replica[LoadedPolicy]) -> None:
        self._telemetry = telemetry
        self._replica = replica

    def collect(self) -> Iterable[Metric]:
        yield from self._rpcs()
        yield from self._streams()
        yield from self._decisions()
        yield from self._stores()

    def _rpcs(self) -> Iterator[Metric]:
        handled = CounterMetricFamily(
            "grpc_server_handled",
            "RPCs finished, by outcome.",
            labels=("grpc_service", "grpc_method", "grpc_code"),
        )
        for (path, code), number in list(self._telemetry.rpcs.items()):
            handled.add_metric((*_names(path), code), number)
        yield handled
        seconds = HistogramMetricFamily(
            "grpc_server_handling_seconds",
            "Time from a request's arrival in the handler to its answer; of a stream, to its end.",
            labels=("grpc_service", "grpc_method"),
        )
        for path, buckets in list(self._telemetry.latency.items()):
            bounds = (*map(str, LATENCY_BUCKETS), "+Inf")
            seconds.add_metric(
                _names(path),
                buckets=list(zip(bounds, accumulate(buckets), strict=True)),
                sum_value=self._telemetry.nanoseconds[path] / 1e9,
            )
        yield seconds

    def _streams(self) -> Iterator[Metric]:
        labels = ("grpc_service", "grpc_method")
        streams = GaugeMetricFamily(
            "grpc_server_open_streams", "Streams that have not ended yet.", labels=labels
        )
        received = CounterMetricFamily(
            "grpc_server_msg_received", "Messages that streams received.", labels=labels
        )
        sent = CounterMetricFamily(
            "grpc_server_msg_sent", "Messages that streams sent.", labels=labels
        )
        for family, counts in (
            (streams, self._telemetry.open_streams),
            (received, self._telemetry.messages_received),
            (sent, self._telemetry.messages_sent),
        ):
            for path, number in list(counts.items()):
                family.add_metric(_names(path), number)
            yield family

    def _decisions(self) -> Iterator[Metric]:
        decisions = CounterMetricFamily(
            "authz_decisions",
            "Questions by outcome; an error is neither PERMIT nor DENY.",
            labels=("store", "outcome"),
        )
        for labels, number in list(self._telemetry.decisions.items()):
            decisions.add_metric(labels, number)
        yield decisions

    def _stores(self) -> Iterator[Metric]:
        facts = GaugeMetricFamily("authz_facts", "Stored facts.", labels=("store",))
        policy = GaugeMetricFamily(
            "authz_policy_version", "The active policy's version; 0 for none.", labels=("store",)
        )
        for state in self._replica.states():
            facts.add_metric((state.store,), len(state.facts))
            version = state.policy.version.version if state.policy else 0
            policy.add_metric((state.store,), version)
        yield facts
        yield policy
        yield GaugeMetricFamily(
            "authz_revision", "The newest applied revision.", value=self._replica.revision
        )
        yield GaugeMetricFamily(
            "authz_replica_stopped_at_revision",
            "The revision of the log that cannot be applied; 0 while all can.",
            value=self._replica.stopped_at or 0,
        )
        yield GaugeMetricFamily(
            "authz_replica_age_seconds",
            "So long ago it was sure that everything committed is applied.",
            value=uptime() - self._replica.applied.fresh_as_of,
        )


def _names(path: str) -> tuple[str, str]:
    """Return service and method of `/package.Service/Method`."""
    _, service, method = path.split("/")
    return service, method
