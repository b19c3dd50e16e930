"""Each fault, from the upgrade's beginning to its end: it ends as the README says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.rehearsal.faults.kinds import KINDS
from tests.rehearsal.rehearsing import Rehearsals

pytestmark = pytest.mark.faults

# A workload behind the one that is befallen, so that there is something that has to stay as it is.
TWO_WAVES = """\
description: Two namespaces in two waves, the first of which has bad luck.
istio: {version: 1.28.3, revision: 1-28-3}
namespaces:
  first:
    labels: {istio-injection: enabled}
    workloads: [{deployment: web, replicas: 2}]
  second:
    labels: {istio-injection: enabled}
    workloads: [{deployment: web, replicas: 2}]
upgrade:
  to: 1.29.1
  waves: [[first], [second]]
  quiet_period_seconds: 1
  timeouts: {rollout_seconds: 5, proxies_seconds: 8, removal_seconds: 20}
"""
# The same, with time for what is late and not lost.
PATIENT = TWO_WAVES.replace(
    "{rollout_seconds: 5, proxies_seconds: 8, removal_seconds: 20}",
    "{rollout_seconds: 40, proxies_seconds: 40, removal_seconds: 75}",
)

CASES = [
    pytest.param("stuck-rollout:first/web", TWO_WAVES, 5, id="stuck-rollout"),
    pytest.param("crash-loop:first/web", TWO_WAVES, 5, id="crash-loop"),
    pytest.param("proxies-stale:first", TWO_WAVES, 5, id="proxies-stale"),
    pytest.param("proxies-rejected:first", TWO_WAVES, 5, id="proxies-rejected"),
    pytest.param("sidecars-lost:first", TWO_WAVES, 5, id="sidecars-lost"),
    # Silent from the beginning, it is found out before the first wave.
    pytest.param("istiod-silent:1-29-1", TWO_WAVES, 6, id="istiod-silent, the new one"),
    pytest.param("istiod-silent:1-28-3", TWO_WAVES, 6, id="istiod-silent, the old one"),
    pytest.param("istiod-dies:1-29-1", PATIENT, 0, id="istiod-dies, the new one"),
    pytest.param("istiod-dies:1-28-3", PATIENT, 0, id="istiod-dies, the old one"),
    pytest.param("api-409%20", PATIENT, 0, id="api-409"),
    pytest.param("api-410%50", PATIENT, 0, id="api-410"),
    pytest.param("api-429", PATIENT, 0, id="api-429"),
    pytest.param("api-500", PATIENT, 0, id="api-500"),
    pytest.param("api-slow", PATIENT, 0, id="api-slow"),
    pytest.param("api-cut", PATIENT, 0, id="api-cut"),
]


@pytest.fixture(scope="module")
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsals]:
    found = Rehearsals(home=tmp_path_factory.mktemp("home"))
    yield found
    assert found.processes() == []


@pytest.mark.parametrize(("fault", "scenario", "code"), CASES)
def test_it_ends_as_it_should(
    rehearsals: Rehearsals, tmp_path: Path, fault: str, scenario: str, code: int
) -> None:
    file = tmp_path / "two-waves.yaml"
    file.write_text(scenario)

    ended = rehearsals.run(
        "--scenario", str(file), "--speed", "10", "--yes", "-o", "json", "--fault", fault
    )

    assert ended.code == code, ended
    assert ended.document["exit_code"] == code


def test_no_fault_is_left_out() -> None:
    assert {str(case.id).partition(",")[0] for case in CASES} == set(KINDS)
