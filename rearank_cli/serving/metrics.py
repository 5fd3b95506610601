"""What a server counts, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rearank_cli.reranking.driver import Listener
from rearank_cli.reranking.trace import AskTrace

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Upper bounds of the histograms: from an answer out of the cache to the longest deadlines."""

WAYS = frozenset(("/", "/v1/rerank", "/v2/rerank", "/rerank", "/mcp", "/metrics", "/v1/models"))
"""Paths that are counted by name: anybody can think of others."""


class Metrics(Listener):
    """The counters of one server; as a listener it counts the windows of its requests."""

    def __init__(self) -> None:
        """Start at zero, in a registry of our own: an engine's library may use the common one."""
        self._registry = registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"rearank_{name}", about, labels, registry=registry)

        def histogram(name: str, about: str, *labels: str) -> Histogram:
            return Histogram(f"rearank_{name}", about, labels, buckets=SECONDS, registry=registry)

        self._requests = counter("requests", "Requests answered", "way", "status")
        self._seconds = histogram("request_seconds", "Seconds until the answer", "way")
        self._windows = counter("windows", "Windows answered", "source")
        self._window_seconds = histogram("window_seconds", "Seconds the engine took for a window")
        self._flaws = counter("window_flaws", "Windows with a flaw", "flaw")
        self._tokens = counter("tokens", "Tokens of prompts and answers", "direction")

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Show a value that is read when somebody asks."""
        Gauge(f"rearank_{name}", about, registry=self._registry).set_function(value)

    def answered(self, trace: AskTrace, expected: int) -> None:
        """Count a window; tokens of cached answers cost nothing and are not counted."""
        self._windows.labels("cache" if trace.cached else "engine").inc()
        for name in trace.flaws.names():
            self._flaws.labels(name).inc()
        if not trace.cached:
            self._window_seconds.observe(trace.seconds)
            self._tokens.labels("prompt").inc(trace.prompt_tokens)
            self._tokens.labels("completion").inc(trace.completion_tokens)

    def request(self, way: str, status: int, seconds: float) -> None:
        """Count a request that came one way and ended with a status."""
        self._requests.labels(way, str(status)).inc()
        self._seconds.labels(way).observe(seconds)

    def refused(self, way: str, status: int) -> None:
        """Count a request that was refused unread; ways that there are not are counted as one."""
        self._requests.labels(way if way in WAYS else "other", str(status)).inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
