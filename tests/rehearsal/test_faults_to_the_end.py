"""Each fault, from the upgrade's beginning to its end: it ends as the README says, and the report says why."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, cast

import pytest

from deployments.rehearsal.faults.kinds import KINDS
from tasks.adapters.kubernetes_api import Api
from tests.rehearsal.rehearsing import Ended, Rehearsals

pytestmark = pytest.mark.faults

# A workload behind the one that is befallen, so that there is something that has to stay as it is.
TWO_WAVES: Final = """\
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
  timeouts: {rollout_seconds: 40, proxies_seconds: 40, removal_seconds: 75}
"""
# The same for what never comes, so that nobody need wait for it for long.
SOON: Final = TWO_WAVES.replace("proxies_seconds: 40", "proxies_seconds: 8").replace(
    "removal_seconds: 75", "removal_seconds: 5"
)
SOONER: Final = SOON.replace("rollout_seconds: 40", "rollout_seconds: 5")
_AT_ONCE: Final = 3
DONE: Final = "1.29.1 serves the mesh as revision 1-29-1"

# Those that wait longest begin first.
CASES: Final = [
    pytest.param(
        # Silent from the beginning, it is found out before the first wave.
        *("istiod-silent:1-29-1", SOON, 6, "revision 1-29-1 is there but does not work"),
        id="istiod-silent, the new one",
    ),
    pytest.param("api-429", TWO_WAVES, 0, DONE, id="api-429"),
    pytest.param("istiod-dies:1-28-3", TWO_WAVES, 0, DONE, id="istiod-dies, the old one"),
    pytest.param("api-slow%5", TWO_WAVES, 0, DONE, id="api-slow"),
    pytest.param(
        *("istiod-silent:1-28-3", SOON, 6, "did not say which proxies use it"),
        id="istiod-silent, the old one",
    ),
    pytest.param("istiod-dies:1-29-1", TWO_WAVES, 0, DONE, id="istiod-dies, the new one"),
    pytest.param(
        "crash-loop:first/web", SOONER, 5, "first/Deployment/web did not roll out", id="crash-loop"
    ),
    pytest.param(
        "proxies-stale:first", SOON, 5, "has not acknowledged its CDS", id="proxies-stale"
    ),
    pytest.param("proxies-rejected:first", SOON, 5, "rejected its CDS", id="proxies-rejected"),
    pytest.param(
        "sidecars-lost:first", SOON, 5, "it would be injected by nobody", id="sidecars-lost"
    ),
    pytest.param(
        "labels-changed:first",
        SOON,
        6,
        "somebody changed the labels of namespace first to istio-injection=disabled",
        id="labels-changed",
    ),
    pytest.param("api-409%20", TWO_WAVES, 0, DONE, id="api-409"),
    pytest.param("api-410%50", TWO_WAVES, 0, DONE, id="api-410"),
    # More than there are by themselves, for a small mesh takes few requests.
    pytest.param("api-500%5", TWO_WAVES, 0, DONE, id="api-500"),
    pytest.param("api-cut%5", TWO_WAVES, 0, DONE, id="api-cut"),
]


@pytest.fixture(scope="module")
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsals]:
    found = Rehearsals(home=tmp_path_factory.mktemp("home"))
    with found.prefect_kept_up():
        yield found
    assert found.processes() == []


@pytest.fixture(scope="module")
def ends(
    request: pytest.FixtureRequest, rehearsals: Rehearsals, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Ended]]]:
    """Begin whatever will be asked for, some at a time: a run is waiting for the most part."""
    folder = tmp_path_factory.mktemp("scenarios")
    asked = [
        one.callspec.params
        for one in request.session.items
        if isinstance(one, pytest.Function) and one.originalname == "test_it_ends_as_it_should"
    ]

    def end(number: int, fault: str, scenario: str) -> Ended:
        file = written(folder / f"{number}.yaml", scenario)
        return rehearsals.run(*words(file, fault), "-o", "json")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            str(one["fault"]): pool.submit(end, number, str(one["fault"]), str(one["scenario"]))
            for number, one in enumerate(asked)
        }
        pool.shutdown(cancel_futures=True)


def written(file: Path, scenario: str) -> Path:
    file.write_text(scenario)
    return file


def words(scenario: Path, fault: str) -> tuple[str, ...]:
    return ("--scenario", str(scenario), "--fault", fault, "--speed", "10", "--yes")


@pytest.mark.parametrize(("fault", "scenario", "code", "says"), CASES)
def test_it_ends_as_it_should(
    ends: Mapping[str, Future[Ended]], fault: str, scenario: str, code: int, says: str
) -> None:
    ended = ends[fault].result()

    assert ended.code == code, ended
    assert ended.document["exit_code"] == code
    assert says in " ".join([ended.document["text"], *ended.document["todo"]])


def test_a_stuck_rollout_names_its_workload_and_touches_no_other_wave(
    rehearsals: Rehearsals, tmp_path: Path
) -> None:
    file = written(tmp_path / "two-waves.yaml", SOONER)
    kubeconfig = tmp_path / "kubeconfig"
    running = rehearsals.start(
        *words(file, "stuck-rollout:first/web"), "--keep", "--kubeconfig", str(kubeconfig)
    )
    running.until_it_says("The cluster stays")

    cluster = Api.connect(kubeconfig=str(kubeconfig))
    found = {name: _object(cluster, f"/api/v1/namespaces/{name}") for name in ("first", "second")}
    second = _object(cluster, "/apis/apps/v1/namespaces/second/deployments/web")
    running.interrupt()
    ended = running.wait()

    assert "RolledBack: wave 1 was rolled back" in ended.err + ended.out
    assert "first/Deployment/web did not roll out" in ended.err + ended.out
    for namespace in found.values():
        assert namespace["metadata"]["labels"]["istio-injection"] == "enabled"
        assert "istio.io/rev" not in namespace["metadata"]["labels"]
    assert second["metadata"]["generation"] == 1


def _object(cluster: Api, path: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", json.loads(cluster.get(path)))


def test_no_fault_is_left_out() -> None:
    tried = {str(case.id).partition(",")[0] for case in CASES} | {"stuck-rollout"}
    assert tried == set(KINDS)
