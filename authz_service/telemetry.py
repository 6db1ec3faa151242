"""What is counted: plain numbers, cheap to raise on the hot path, read when somebody asks for metrics."""

from bisect import bisect_left
from collections import Counter, defaultdict

# Seconds. From a fifth of the cheapest call to the longest that anybody waits for.
LATENCY_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0)


class Telemetry:
    """The counters of one server. Changed in the event loop only; readers may see them mid-way."""

    def __init__(self) -> None:
        self.rpcs: Counter[tuple[str, str]] = Counter()
        """Finished RPCs by method (`/package.Service/Method`) and status code."""
        self.decisions: Counter[tuple[str, str]] = Counter()
        """Questions by store and outcome: `permit`, `deny` or `error`."""
        self.latency: defaultdict[str, list[int]] = defaultdict(
            lambda: [0] * (len(LATENCY_BUCKETS) + 1)
        )
        """Finished RPCs by method in each bucket of LATENCY_BUCKETS, and beyond the last."""
        self.nanoseconds: Counter[str] = Counter()
        """Time spent on finished RPCs by method, in nanoseconds."""
        self.open_streams: Counter[str] = Counter()
        """Streams that have begun and not ended, by method. They are in the counters above once they end."""
        self.messages_received: Counter[str] = Counter()
        """Requests of streams that were admitted, by method."""
        self.messages_sent: Counter[str] = Counter()
        """Messages of streams that the transport has taken, by method."""

    def rpc_finished(self, method: str, code: str, nanoseconds: int) -> None:
        self.rpcs[method, code] += 1
        self.latency[method][bisect_left(LATENCY_BUCKETS, nanoseconds / 1e9)] += 1
        self.nanoseconds[method] += nanoseconds
