"""
Makes a Job each time that a CronJob's schedule comes round.

Schedules live in real time, as people wrote them; only what the pods then do is scaled.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.owning import (
    KeptBy,
    controller_reference,
    kept_by,
    own_key,
)
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.reading import part
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.schedules import Schedule
from deployments.rehearsal.cluster.controllers.writing import end, write_status
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    is_terminating,
    is_true,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
    version_of,
)
from deployments.rehearsal.cluster.resources import CRONJOBS, JOBS
from deployments.rehearsal.cluster.verbs import Server

_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_SCHEDULED: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobs:
    """The CronJob controller. A time that was missed is made up for once."""

    workers = 1

    def __init__(self, server: Server) -> None:
        self._server = server
        self._events = Recorder(server, "cronjob-controller")

    @property
    def interests(self) -> Interests:
        return {CRONJOBS: own_key, JOBS: KeptBy(CRONJOBS)}

    async def settle(self, key: Key) -> float | None:
        cron_job = self._server.store.get(CRONJOBS, key.name, key.namespace)
        if cron_job is None or is_terminating(cron_job):
            return None
        jobs = kept_by(self._server.store, cron_job, JOBS)
        await self._forget_old(cron_job, jobs)
        due: float | None = None
        if not spec_of(cron_job).get("suspend"):
            due = await self._next(cron_job)
        if due is not None and due <= time.time():
            await self._run(cron_job, due, [one for one in jobs if not _is_over(one)])
        await self._write_status(key, due)
        return None if due is None else max(0.0, due - time.time()) * self._server.clock.speed

    async def _next(self, cron_job: Json) -> float | None:
        """Return the first moment of the schedule after the last one that was served."""
        status, metadata = status_of(cron_job), metadata_of(cron_job)
        since = status.get("lastScheduleTime") or metadata["creationTimestamp"]
        try:
            schedule = Schedule.parse(str(spec_of(cron_job)["schedule"]))
        except ValueError as error:
            text = f"the schedule cannot be read: {error}"
            await self._events.warning(CRONJOBS, cron_job, "UnparseableSchedule", text)
            return None
        due = schedule.after(datetime.fromisoformat(since).timestamp())
        if due is not None and due <= time.time():
            return schedule.last(time.time())  # of many that were missed, only this one counts
        return due

    async def _run(self, cron_job: Json, due: float, active: Sequence[Json]) -> None:
        policy = spec_of(cron_job).get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and active:
            return
        if policy == "Replace":
            for one in active:
                await end(self._server, JOBS, one, propagation="Background")
        job = _job(cron_job, due)
        try:
            made = await self._server.create(JOBS, job, namespace=namespace_of(cron_job))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            return
        text = f"Created job {name_of(made)}"
        await self._events.normal(CRONJOBS, cron_job, "SuccessfulCreate", text)

    async def _forget_old(self, cron_job: Json, jobs: Sequence[Json]) -> None:
        """Delete the oldest finished Jobs, if there are more than should be kept."""
        spec = spec_of(cron_job)
        for kind, limit in (
            ("Complete", number(spec, "successfulJobsHistoryLimit", 3)),
            ("Failed", number(spec, "failedJobsHistoryLimit", 1)),
        ):
            ended = [one for one in jobs if is_true(one, kind) and not is_terminating(one)]
            for one in sorted(ended, key=name_of)[: max(0, len(ended) - limit)]:
                await end(self._server, JOBS, one, propagation="Background")

    async def _write_status(self, key: Key, due: float | None) -> None:
        cron_job = self._server.store.get(CRONJOBS, key.name, key.namespace)
        if cron_job is None:
            return
        status = {key: value for key, value in status_of(cron_job).items() if key != "active"}
        jobs = kept_by(self._server.store, cron_job, JOBS)
        if active := [_reference(one) for one in jobs if not _is_over(one)]:
            status["active"] = active
        if due is not None and due <= time.time():
            status["lastScheduleTime"] = time.strftime(_MOMENT, time.gmtime(due))
        ended = [status_of(one).get("completionTime") for one in jobs if is_true(one, "Complete")]
        if last := max(filter(None, ended), default=None):
            status["lastSuccessfulTime"] = last
        await write_status(self._server, CRONJOBS, cron_job, status)


def _is_over(job: Json) -> bool:
    return is_true(job, "Complete") or is_true(job, "Failed")


def _job(cron_job: Json, due: float) -> Json:
    template = part(spec_of(cron_job), "jobTemplate")
    when = time.strftime(_MOMENT, time.gmtime(due))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{name_of(cron_job)}-{int(due) // 60}",
            "labels": labels_of(template),
            "annotations": annotations_of(template) | {_SCHEDULED: when},
            "ownerReferences": [controller_reference(CRONJOBS, cron_job)],
        },
        "spec": spec_of(template),
    }


def _reference(job: Json) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name_of(job),
        "namespace": namespace_of(job),
        "uid": uid_of(job),
        "resourceVersion": version_of(job),
    }
