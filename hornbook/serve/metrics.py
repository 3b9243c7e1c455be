"""What a server counts, for Prometheus: requests, tokens, times. Nothing of what is written."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hornbook.serve.delivery import Delivery
from hornbook.serve.shelf import Shelf

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class ServerMetrics:
    """Of one server, in a registry of its own."""

    def __init__(self, shelf: Shelf) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Now(shelf))
        self._requests = Counter(
            "hornbook_requests", "Requests that were answered.", ("route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "hornbook_request_seconds", "From a request to the end of its answer.", ("route",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._first = Histogram(
            "hornbook_first_token_seconds", "From a request in the queue to its first text.",
            ("model",), buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._tokens = Counter(
            "hornbook_tokens", "Tokens of prompts that were read (prompt) or were there already "
            "(cached), and of answers (written).", ("model", "kind"), registry=self._registry,
        )  # fmt: skip

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request is over."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def written(self, model: str, delivery: Delivery) -> None:
        """Answers are over, or nobody waits for them any more."""
        cached = delivery.cached_tokens
        self._tokens.labels(model, "prompt").inc(delivery.prompt_tokens - cached)
        self._tokens.labels(model, "cached").inc(cached)
        self._tokens.labels(model, "written").inc(delivery.written_tokens)
        if delivery.first_s is not None:
            self._first.labels(model).observe(delivery.first_s)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is open and what runs at this moment."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def collect(self) -> list[GaugeMetricFamily]:
        """Two gauges by model."""
        running = GaugeMetricFamily(
            "hornbook_running", "Answers and other work that is done or waits.", labels=["model"]
        )
        users = GaugeMetricFamily("hornbook_users", "Requests that use a model.", labels=["model"])
        for name, model in self._shelf.open.copy().items():
            running.add_metric([name], model.running)
            users.add_metric([name], model.users)
        return [running, users]
