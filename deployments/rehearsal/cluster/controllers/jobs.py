"""Runs the pods of a Job until enough of them have succeeded, or too many failed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number, without_zeros
from deployments.rehearsal.cluster.controllers.conditions import condition, find
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.owning import (
    KeptBy,
    controller_reference,
    kept_by,
    own_key,
)
from deployments.rehearsal.cluster.controllers.pods import (
    all_of,
    in_growing_batches,
    is_active,
    is_namespace_ending,
    is_over,
    is_ready,
    phase_of,
    pod_from,
)
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.writing import end, write_status
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    conditions_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    now_rfc3339,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import JOBS, PODS
from deployments.rehearsal.cluster.verbs import Server

_FIRST_BACKOFF: Final = 10.0
_LONGEST_BACKOFF: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pods:
    """A Job's pods by what became of them."""

    active: Sequence[Json]
    terminating: Sequence[Json]
    succeeded: int
    failed: int


class Jobs:
    """The Job controller. Completions are counted, not numbered."""

    workers = 5

    def __init__(self, server: Server) -> None:
        self._server = server
        self._events = Recorder(server, "job-controller")
        self._failed: dict[str, tuple[int, float]] = {}  # how many pods, and since when

    @property
    def interests(self) -> Interests:
        return {JOBS: own_key, PODS: KeptBy(JOBS)}

    async def settle(self, key: Key) -> float | None:
        job = self._server.store.get(JOBS, key.name, key.namespace)
        if job is None or is_terminating(job) or _is_over(job):
            return None
        pods = self._pods(job)
        ending = _ending(job, pods)
        pause = self._pause(job, pods.failed) if ending is None else 0.0
        failure: ApiError | None = None
        try:
            if pause <= 0:
                await self._step(job, pods, is_ending=ending is not None)
        except ApiError as error:
            failure = error
        await self._write_status(key, ending)
        if failure is not None:
            raise failure
        return pause if pause > 0 else None

    def _pause(self, job: Json, failed: int) -> float:
        """Return how much longer to wait after a failure: each time twice as long."""
        now = asyncio.get_running_loop().time()
        if self._failed.get(uid_of(job), (0, now))[0] != failed:
            self._failed[uid_of(job)] = (failed, now)
        if not failed:
            return 0.0
        spent = (now - self._failed[uid_of(job)][1]) * self._server.clock.speed
        wanted: float = _FIRST_BACKOFF * 2 ** (failed - 1)
        return min(wanted, _LONGEST_BACKOFF) - spent

    def _pods(self, job: Json) -> _Pods:
        pods = kept_by(self._server.store, job, PODS)
        ended = [phase_of(pod) for pod in pods if is_over(pod)]
        return _Pods(
            active=[pod for pod in pods if is_active(pod)],
            terminating=[pod for pod in pods if is_terminating(pod) and not is_over(pod)],
            succeeded=ended.count("Succeeded"),
            failed=ended.count("Failed"),
        )

    async def _step(self, job: Json, pods: _Pods, *, is_ending: bool) -> None:
        wanted = 0 if is_ending or spec_of(job).get("suspend") else _wanted(job, pods)
        missing = wanted - len(pods.active)
        if missing > 0 and not pods.terminating:
            await in_growing_batches([lambda: self._create(job)] * missing)
        elif missing < 0:
            await all_of([end(self._server, PODS, pod) for pod in pods.active[wanted:]])

    async def _create(self, job: Json) -> None:
        template = spec_of(job)["template"]
        reference = controller_reference(JOBS, job)
        pod = pod_from(template, owner=reference, generate_name=f"{name_of(job)}-")
        pod["metadata"]["labels"] = _labels(job) | labels_of(template)
        try:
            made = await self._server.create(PODS, pod, namespace=namespace_of(job))
        except ApiError as error:
            if is_namespace_ending(error):
                return
            text = f"Error creating: {error.message}"
            await self._events.warning(JOBS, job, "FailedCreate", text)
            raise
        await self._events.normal(JOBS, job, "SuccessfulCreate", f"Created pod: {name_of(made)}")

    async def _write_status(self, key: Key, ending: Json | None) -> None:
        job = self._server.store.get(JOBS, key.name, key.namespace)
        if job is None:
            return
        status = _status(job, self._pods(job), ending)
        is_news = await write_status(self._server, JOBS, job, status)
        if is_news and ending is not None and ending["type"] == "Complete":
            await self._events.normal(JOBS, job, "Completed", "Job completed")


def _labels(job: Json) -> dict[str, str]:
    name, uid = name_of(job), uid_of(job)
    return {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }


def _wanted(job: Json, pods: _Pods) -> int:
    """Return how many pods should run now."""
    parallel = number(spec_of(job), "parallelism", 1)
    completions = spec_of(job).get("completions")
    if completions is None:  # the first that succeeds ends it, and the others are waited for
        return len(pods.active) if pods.succeeded else parallel
    return min(parallel, int(completions) - pods.succeeded)


def _ending(job: Json, pods: _Pods) -> Json | None:
    """Return the condition with which a Job ends, if it does."""
    completions = spec_of(job).get("completions")
    is_enough = pods.succeeded >= (int(completions) if completions is not None else 1)
    if is_enough and (completions is not None or not pods.active):
        text = "Reached expected number of succeeded pods"
        return condition("Complete", status="True", reason="CompletionsReached", message=text)
    if pods.failed > number(spec_of(job), "backoffLimit", 6):
        text = "Job has reached the specified backoff limit"
        return condition("Failed", status="True", reason="BackoffLimitExceeded", message=text)
    return None


def _is_over(job: Json) -> bool:
    return any(
        one["type"] in {"Complete", "Failed"} and one["status"] == "True"
        for one in conditions_of(job)
    )


def _status(job: Json, pods: _Pods, ending: Json | None) -> Json:
    before = status_of(job)
    status: Json = {
        "startTime": before.get("startTime", now_rfc3339()),
        "active": len(pods.active),
        "ready": sum(map(is_ready, pods.active)),
        "terminating": len(pods.terminating),
        "succeeded": pods.succeeded,
        "failed": pods.failed,
        "uncountedTerminatedPods": {},
        "conditions": _conditions(job, ending),
    }
    if ending is not None and ending["type"] == "Complete":
        status["completionTime"] = now_rfc3339()
    if spec_of(job).get("suspend"):
        del status["startTime"]
    return without_zeros(status, "active", "succeeded", "failed", "conditions")


def _conditions(job: Json, ending: Json | None) -> list[Json]:
    conditions = conditions_of(job)
    if ending is None or find(conditions, ending["type"]) is not None:
        return conditions
    ended = {name: value for name, value in ending.items() if name != "lastUpdateTime"}
    ended["lastProbeTime"] = ended["lastTransitionTime"]
    first = "SuccessCriteriaMet" if ending["type"] == "Complete" else "FailureTarget"
    return [*conditions, ended | {"type": first}, ended]
