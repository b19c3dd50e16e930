"""What the table of pods says of one: how many containers are ready, its status in a word, restarts."""

from datetime import datetime
from typing import Final

from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    is_true,
    object_in,
    objects_in,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.web.durations import age

_OVER: Final = frozenset({"Succeeded", "Failed"})


def ready(pod: Json) -> str:
    total = len(objects_in(spec_of(pod), "containers")) + len(_sidecars(pod))
    count = sum(bool(one.get("ready")) and "running" in _state(one) for one in _staying(pod))
    return f"{count}/{total}"


def restarts(pod: Json, now: datetime) -> str:
    statuses = _statuses(pod) if _init_problem(pod) else _staying(pod)
    count = sum(int(one.get("restartCount", 0)) for one in statuses)
    ends = [
        str(object_in(object_in(one, "lastState"), "terminated").get("finishedAt", ""))
        for one in statuses
    ]
    last = max(ends, default="")
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def status(pod: Json) -> str:
    found = status_of(pod)
    phase = str(found.get("phase", ""))
    reason = str(found.get("reason") or phase)
    problem = "" if is_true(pod, "Initialized") else _init_problem(pod)
    reason = problem or _reason(pod, reason)
    return "Terminating" if is_terminating(pod) and phase not in _OVER else reason


def _reason(pod: Json, reason: str) -> str:
    statuses = objects_in(status_of(pod), "containerStatuses")
    for one in reversed(statuses):
        state = _state(one)
        if object_in(state, "waiting").get("reason"):
            reason = state["waiting"]["reason"]
        elif "terminated" in state:
            reason = _ended(state["terminated"])
    is_running = any(one.get("ready") and "running" in _state(one) for one in statuses)
    if reason == "Completed" and is_running:
        return "Running" if is_true(pod, "Ready") else "NotReady"
    return reason


def _ended(terminated: Json) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _init_problem(pod: Json) -> str:
    """Return what keeps a pod from being initialized, nothing if it is."""
    sidecars = _sidecars(pod)
    for place, one in enumerate(objects_in(status_of(pod), "initContainerStatuses")):
        state = _state(one)
        terminated, waiting = object_in(state, "terminated"), object_in(state, "waiting")
        if "terminated" in state and terminated.get("exitCode", 0) == 0:
            continue
        if one.get("name") in sidecars and one.get("started"):
            continue
        if "terminated" in state:
            return f"Init:{_ended(terminated)}"
        if waiting.get("reason") not in {None, "", "PodInitializing"}:
            return f"Init:{waiting['reason']}"
        return f"Init:{place}/{len(objects_in(spec_of(pod), 'initContainers'))}"
    return ""


def _sidecars(pod: Json) -> set[str]:
    containers = objects_in(spec_of(pod), "initContainers")
    return {str(one["name"]) for one in containers if one.get("restartPolicy") == "Always"}


def _staying(pod: Json) -> list[Json]:
    """Return the states of the containers that are meant to stay."""
    sidecars = _sidecars(pod)
    found = status_of(pod)
    initial = objects_in(found, "initContainerStatuses")
    beside = [one for one in initial if one.get("name") in sidecars]
    return beside + objects_in(found, "containerStatuses")


def _statuses(pod: Json) -> list[Json]:
    return objects_in(status_of(pod), "initContainerStatuses")


def _state(container: Json) -> Json:
    return object_in(container, "state")
