"""What the gatekeeper counts, for Prometheus."""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from deployments.gatekeeper.looking import Seen


class Metrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._open = Gauge(
            "istio_canary_open_gates", "Gates that wait for people.", ["cluster"], registry=registry
        )
        self._age = Gauge(
            "istio_canary_open_gate_age_seconds",
            "How long the oldest open gate has been waiting.",
            ["cluster"],
            registry=registry,
        )
        self._read_at = Gauge(
            "istio_canary_cluster_read_timestamp_seconds",
            "When a cluster's journal was last read.",
            ["cluster"],
            registry=registry,
        )
        self._votes = Counter(
            "istio_canary_votes",
            "Answers of people that were stored.",
            ["answer"],
            registry=registry,
        )
        self._refusals = Counter(
            "istio_canary_refusals",
            "What people said that did not count.",
            ["reason"],
            registry=registry,
        )
        self._errors = Counter(
            "istio_canary_errors", "Calls that failed.", ["of"], registry=registry
        )
        self._acks = Histogram(
            "istio_canary_ack_seconds",
            "From hearing of a click or command until it is acknowledged.",
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 3),
            registry=registry,
        )
        self._resumed = Counter(
            "istio_canary_flow_runs", "Flow runs set going again.", ["how"], registry=registry
        )

    def looked(self, cluster: str, seen: list[Seen], now: datetime) -> None:
        """Note what a look at a cluster has found."""
        gates = [gate for one in seen if (gate := one.view.open_gate) is not None]
        ages = [(now - gate.asked_at).total_seconds() for gate in gates]
        self._open.labels(cluster).set(len(gates))
        self._age.labels(cluster).set(max(ages, default=0.0))
        self._read_at.labels(cluster).set(now.timestamp())

    def voted(self, answer: str) -> None:
        self._votes.labels(answer).inc()

    def refused(self, reason: str) -> None:
        self._refusals.labels(reason).inc()

    def failed(self, what: str) -> None:
        self._errors.labels(what).inc()

    def acknowledged(self, seconds: float) -> None:
        self._acks.observe(seconds)

    def set_going(self, how: str) -> None:
        self._resumed.labels(how).inc()

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """Return one sample, 0.0 if there is none."""
        return self._registry.get_sample_value(name, dict(labels or {})) or 0.0
