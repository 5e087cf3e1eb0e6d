"""What an edge counts and measures, for Prometheus; docs/operator.md says what each metric is good for."""

import platform
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one edge, in a registry of their own: several edges may live in one process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "mvstylizer_requests", "Requests answered", ["route", "status"], registry=registry
        )  # fmt: skip
        self.refusals = Counter(
            "mvstylizer_refusals", "Refusals by the code of their error", ["code"], registry=registry
        )
        self.seconds = Histogram(
            "mvstylizer_request_seconds", "From the request's head to the reply's end", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.stages = Histogram(
            "mvstylizer_stage_seconds", "Of a key frame: decode, queue, infer, encode", ["stage"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.received = Counter("mvstylizer_received_bytes", "Bytes of bodies that came in", registry=registry)
        self.sent = Counter("mvstylizer_sent_bytes", "Bytes of bodies that went out", registry=registry)
        self.replayed = Counter(
            "mvstylizer_replayed", "Replies given again to the same Idempotency-Key", registry=registry
        )
        self.model = Info("mvstylizer_model", "The release that runs", registry=registry)
        Info("mvstylizer_python", "The interpreter", registry=registry).info({"version": platform.python_version()})

    def gauge(self, name: str, description: str, value: Callable[[], float]) -> None:
        """A gauge that asks for its value whenever somebody reads the metrics."""
        Gauge(name, description, registry=self._registry).set_function(value)

    def counter(self, name: str, description: str, labels: tuple[str, ...] = ()) -> Counter:
        """A counter of a part that an edge may lack."""
        return Counter(name, description, labels, registry=self._registry)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def names(self) -> list[str]:
        """Names of all metrics that are this project's own."""
        return sorted(each.name for each in self._registry.collect() if each.name.startswith("mvstylizer_"))
