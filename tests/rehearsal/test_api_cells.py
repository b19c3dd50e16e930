"""What `kubectl get` says of a thing in a word."""

import pytest

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.web import pod_cells
from deployments.rehearsal.cluster.web.durations import duration, moment

_RUNNING: Json = {"state": {"running": {}}, "ready": True}
_SIDECAR: Json = {"name": "istio-proxy", "restartPolicy": "Always"}
NOW = moment("2026-01-01T00:10:00Z")


def _pod(*containers: Json, **more: object) -> Json:
    names = [f"c{place}" for place, _ in enumerate(containers)]
    statuses = [{"name": name} | one for name, one in zip(names, containers, strict=True)]
    spec = {"containers": [{"name": name} for name in names]}
    return {
        "metadata": {},
        "spec": spec,
        "status": {"phase": "Running", **more} | {"containerStatuses": statuses},
    }


def _with_sidecar(status: Json, *containers: Json, **more: object) -> Json:
    pod = _pod(*containers, **more)
    pod["spec"]["initContainers"] = [_SIDECAR]
    pod["status"]["initContainerStatuses"] = [{"name": "istio-proxy"} | status]
    return pod


@pytest.mark.parametrize(
    ("pod", "ready", "status"),
    [
        pytest.param(_pod(_RUNNING), "1/1", "Running", id="a running pod"),
        pytest.param(
            _with_sidecar(_RUNNING | {"started": True}, _RUNNING),
            "2/2",
            "Running",
            id="a sidecar counts",
        ),
        pytest.param(
            _with_sidecar({"state": {"waiting": {"reason": "PodInitializing"}}}, {"state": {}}),
            "0/2",
            "Init:0/1",
            id="a sidecar that has not started",
        ),
        pytest.param(
            _with_sidecar({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, {"state": {}}),
            "0/2",
            "Init:ImagePullBackOff",
            id="a sidecar without an image",
        ),
        pytest.param(
            _pod({"state": {"waiting": {"reason": "CrashLoopBackOff"}}}),
            "0/1",
            "CrashLoopBackOff",
            id="a crash loop",
        ),
        pytest.param(
            _pod({"state": {"terminated": {"exitCode": 3}}}), "0/1", "ExitCode:3", id="an exit code"
        ),
        pytest.param(
            _pod({"state": {"terminated": {"reason": "Completed"}}}, phase="Succeeded"),
            "0/1",
            "Completed",
            id="a pod that is done",
        ),
        pytest.param(
            _pod({"state": {"terminated": {"reason": "Completed"}}}, _RUNNING),
            "1/2",
            "NotReady",
            id="half of it done",
        ),
        pytest.param(
            _pod(_RUNNING) | {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
            "1/1",
            "Terminating",
            id="a pod that ends",
        ),
    ],
)
def test_a_pod_in_two_words(pod: Json, ready: str, status: str) -> None:
    assert (pod_cells.ready(pod), pod_cells.status(pod)) == (ready, status)


def test_restarts_say_when_the_last_one_was() -> None:
    ended = {"terminated": {"finishedAt": "2026-01-01T00:07:00Z"}}
    assert (
        pod_cells.restarts(_pod(_RUNNING | {"restartCount": 2, "lastState": ended}), NOW)
        == "2 (3m ago)"
    )
    assert pod_cells.restarts(_pod(_RUNNING), NOW) == "0"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (119, "119s"),
        (125, "2m5s"),
        (180, "3m"),
        (3600, "60m"),
        (4 * 3600 + 120, "4h2m"),
        (9 * 3600, "9h"),
        (50 * 3600, "2d2h"),
        (30 * 86400, "30d"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_are_short(seconds: int, text: str) -> None:
    assert duration(seconds) == text
