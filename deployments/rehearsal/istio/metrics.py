"""What an istiod counts, in the text format of Prometheus."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from deployments.rehearsal.istio import xds

Labels = tuple[tuple[str, str], ...]

_GAUGES: Final = frozenset({
    "pilot_xds", "pilot_info", "istio_build", "istiod_uptime_seconds",
    "citadel_server_root_cert_expiry_timestamp",
})  # fmt: skip
# Counted from zero on, so that a rise can be seen from the first.
_ALWAYS: Final = (
    "sidecar_injection_requests_total",
    "sidecar_injection_success_total",
    "sidecar_injection_failure_total",
    "sidecar_injection_skip_total",
    "galley_validation_passed",
    "galley_validation_failed",
    "pilot_total_xds_internal_errors",
    "pilot_xds_expired_nonce",
    "pilot_xds_write_timeout",
    "webhook_patch_failures_total",
    "citadel_server_csr_count",
    "citadel_server_success_cert_issuance_count",
)
SHORT: Final[Mapping[str, str]] = {
    xds.CLUSTER: "cds",
    xds.LISTENER: "lds",
    xds.ENDPOINT: "eds",
    xds.ROUTE: "rds",
    xds.EXTENSION: "ecds",
}


class Metrics:
    """One istiod's counters and gauges."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, Labels]] = Counter()
        for name in _ALWAYS:
            self._values[name, ()] = 0

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        self._values[name, tuple(sorted(labels.items()))] += by  # type: ignore[assignment]

    def set(self, name: str, value: float, **labels: str) -> None:
        self._values[name, tuple(sorted(labels.items()))] = value  # type: ignore[assignment]

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        lines: list[str] = []
        last = ""
        for (name, labels), value in sorted(self._values.items()):
            if name != last:
                kind = "gauge" if name in _GAUGES else "counter"
                lines += [f"# HELP {name} {name.replace('_', ' ')}", f"# TYPE {name} {kind}"]
                last = name
            shown = ",".join(f'{key}="{one}"' for key, one in labels)
            lines.append(f"{name}{{{shown}}} {value:g}" if shown else f"{name} {value:g}")
        return ("\n".join(lines) + "\n").encode()
