"""
The status of a pod, from what each of its containers is doing. Pure.

Texts and order are the kubelet's: `kubectl get pods`, people and the product read them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from deployments.rehearsal.cluster.objects import Json, condition_of, conditions_of, spec_of, uid_of

_NOTHING: Json = {}


@dataclass(slots=True, kw_only=True)
class Run:
    """One container: what it does now, and what it did before."""

    spec: Json
    is_init: bool = False
    state: Json = field(default_factory=dict[str, object])
    last: Json = field(default_factory=dict[str, object])
    ready: bool = False
    restarts: int = 0

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def is_sidecar(self) -> bool:
        """Whether it is an init container that stays."""
        return self.is_init and self.spec.get("restartPolicy") == "Always"

    @property
    def is_running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        terminated = cast("Json | None", self.state.get("terminated"))
        return None if terminated is None else int(terminated["exitCode"])

    def wait(self, reason: str, message: str = "") -> None:
        self.state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        self.ready = False

    def run(self, now: str) -> None:
        self.state = {"running": {"startedAt": now}}

    def end(self, code: int, now: str) -> None:
        running = cast("Json", self.state.get("running") or _NOTHING)
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": "Error" if code else "Completed",
                "startedAt": running.get("startedAt", now),
                "finishedAt": now,
            }
        }
        self.ready = False


def runs_of(pod: Json) -> list[Run]:
    """Return the containers of a pod that has not started: init containers first."""
    spec = spec_of(pod)
    first = [Run(spec=one, is_init=True) for one in spec.get("initContainers") or ()]
    runs = first + [Run(spec=one) for one in spec.get("containers") or ()]
    for run in runs:
        run.wait("PodInitializing" if first else "ContainerCreating")
    return runs


def phase(runs: Sequence[Run], restart_policy: str) -> str:
    main = [run for run in runs if not run.is_init]
    codes = [run.exit_code for run in main]
    if restart_policy != "Always" and all(code is not None for code in codes):
        if not any(codes):
            return "Succeeded"
        if restart_policy == "Never":
            return "Failed"
    started = any(not run.state.get("waiting") or run.last for run in main)
    return "Running" if started else "Pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a pod is."""

    host: str
    pod: str


def status(pod: Json, runs: Sequence[Run], address: Address | None, now: str) -> Json:
    """Return the whole status of a pod that has a node."""
    before = cast("Json", pod.get("status") or {})
    here = phase(runs, str(spec_of(pod).get("restartPolicy", "Always")))
    found: Json = {
        "phase": here,
        "conditions": _conditions(pod, runs, here, now, has_address=address is not None),
        "startTime": before.get("startTime", now),
        "qosClass": before.get("qosClass", "BestEffort"),
    }
    if address is not None:
        found |= {"hostIP": address.host, "hostIPs": [{"ip": address.host}]}
        found |= {"podIP": address.pod, "podIPs": [{"ip": address.pod}]}
    for name, chosen in (("initContainerStatuses", True), ("containerStatuses", False)):
        if told := [_told(pod, run) for run in runs if run.is_init is chosen]:
            found[name] = told
    return found


def _told(pod: Json, run: Run) -> Json:
    image = str(run.spec.get("image", ""))
    told: Json = {
        "name": run.name,
        "state": run.state,
        "lastState": run.last,
        "ready": run.ready,
        "restartCount": run.restarts,
        "image": image,
        "imageID": f"{image}@sha256:{_digest(image)}" if not run.state.get("waiting") else "",
        "started": run.is_running,
    }
    if not run.state.get("waiting") or run.last:
        told["containerID"] = f"containerd://{_digest(uid_of(pod), run.name, run.restarts)}"
    return told


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def _conditions(
    pod: Json, runs: Sequence[Run], here: str, now: str, *, has_address: bool
) -> list[Json]:
    ready = _ready(runs, here)
    found = [
        _condition("PodReadyToStartContainers", is_true=has_address),
        _initialized(runs, here),
        {"type": "Ready"} | ready,
        {"type": "ContainersReady"} | ready,
    ]
    if (scheduled := condition_of(pod, "PodScheduled")) is not None:
        found.append(scheduled)
    ours = {one["type"] for one in found}
    others = [one for one in conditions_of(pod) if one.get("type") not in ours]
    return [*(_dated(pod, one, now) for one in found), *others]


def _dated(pod: Json, one: Json, now: str) -> Json:
    before = condition_of(pod, one["type"])
    if before is not None and before["status"] == one["status"]:
        now = before.get("lastTransitionTime") or now
    return one | {"lastProbeTime": None, "lastTransitionTime": now}


def _condition(kind: str, *, is_true: bool, reason: str = "", message: str = "") -> Json:
    found: Json = {"type": kind, "status": "True" if is_true else "False"}
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    return found


def _ready(runs: Sequence[Run], here: str) -> Json:
    if here in {"Succeeded", "Failed"}:
        reason = "PodCompleted" if here == "Succeeded" else "PodFailed"
        return {"status": "False", "reason": reason}
    unready = [run.name for run in runs if not run.ready and (run.is_sidecar or not run.is_init)]
    if not unready:
        return {"status": "True"}
    text = f"containers with unready status: {_list(unready)}"
    return {"status": "False", "reason": "ContainersNotReady", "message": text}


def _initialized(runs: Sequence[Run], here: str) -> Json:
    incomplete = [
        run.name
        for run in runs
        if run.is_init and not (run.is_running if run.is_sidecar else run.exit_code == 0)
    ]
    if here == "Succeeded":
        return _condition("Initialized", is_true=True, reason="PodCompleted")
    if here != "Pending" or not incomplete:
        return _condition("Initialized", is_true=True)
    text = f"containers with incomplete status: {_list(incomplete)}"
    reason = "ContainersNotInitialized"
    return _condition("Initialized", is_true=False, reason=reason, message=text)


def _list(names: Iterable[str]) -> str:
    return f"[{' '.join(names)}]"
