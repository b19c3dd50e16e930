from datetime import datetime

import pytest

from deployments.rehearsal.cluster.controllers.schedules import Schedule
from deployments.rehearsal.cluster.objects import Json, name_of, now_rfc3339
from deployments.rehearsal.cluster.resources import CRDS, CRONJOBS, JOBS
from tests.rehearsal.running_cluster import container, run, running


def moment(text: str) -> float:
    return datetime.fromisoformat(f"{text}:00+00:00").timestamp()


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        pytest.param("* * * * *", "2026-01-01T00:00", "2026-01-01T00:01", id="every minute"),
        pytest.param("*/15 * * * *", "2026-01-01T00:46", "2026-01-01T01:00", id="every quarter"),
        pytest.param("30 4 * * *", "2026-01-01T04:30", "2026-01-02T04:30", id="once a day"),
        pytest.param("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00", id="in a leap year"),
        pytest.param("0 12 * * mon-fri", "2026-01-02T12:00", "2026-01-05T12:00", id="by names"),
        pytest.param("0 0 13 * 5", "2026-01-01T00:00", "2026-01-02T00:00", id="either day"),
        pytest.param("@hourly", "2026-01-01T00:30", "2026-01-01T01:00", id="by its nickname"),
        pytest.param("0 0 * * 7", "2026-01-01T00:00", "2026-01-04T00:00", id="Sunday is 7 too"),
    ],
)
def test_a_schedule_comes_round(schedule: str, after: str, due: str) -> None:
    found = Schedule.parse(schedule)

    assert found.after(moment(after)) == moment(due)
    assert found.last(moment(due) + 59) == moment(due)
    before = found.last(moment(due) - 1)
    assert before is not None
    assert before <= moment(after)


@pytest.mark.parametrize("schedule", ["* * * *", "61 * * * *", "a * * * *", "5-1 * * * *"])
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"fields|range|literal"):
        Schedule.parse(schedule)


def test_a_day_that_never_comes_is_none() -> None:
    never = Schedule.parse("0 0 31 2 *")

    assert never.after(moment("2026-01-01T00:00")) is None
    assert never.last(moment("2026-01-01T00:00")) is None


def cron_job(**more: object) -> Json:
    pod: Json = {"restartPolicy": "Never", "containers": [container("sleep 1", probed=False)]}
    template = {"spec": {"template": {"spec": pod}}}
    spec: Json = {"schedule": "* * * * *", "jobTemplate": template}
    return {"metadata": {"name": "web"}, "spec": spec | more}


def test_a_missed_moment_is_made_up_for_once() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(CRONJOBS, cron_job(suspend=True))
            await cluster.server.update(
                CRONJOBS,
                cluster.get(CRONJOBS, "web")
                | {"status": {"lastScheduleTime": "2016-01-01T00:00:00Z"}},
                namespace="shop",
                subresource="status",
            )
            assert not cluster.all(JOBS)

            def go_on(found: Json) -> None:
                found["spec"]["suspend"] = False

            await cluster.change(CRONJOBS, "web", go_on, settled=False)
            await cluster.until(lambda: cluster.status(CRONJOBS).get("lastSuccessfulTime"))
            (job,) = cluster.all(JOBS)
            assert name_of(job).startswith("web-")
            assert cluster.status(CRONJOBS)["lastScheduleTime"] > "2026-01-01T00:01:00Z"
            assert cluster.status(CRONJOBS)["lastScheduleTime"] <= now_rfc3339()

    run(story)


def test_the_objects_of_a_deleted_definition_go_with_it() -> None:
    async def story() -> None:
        async with running() as cluster:
            names = {"plural": "things", "kind": "Thing", "singular": "thing"}
            schema = {"openAPIV3Schema": {"type": "object"}}
            version = {"name": "v1", "served": True, "storage": True, "schema": schema}
            await cluster.make(
                CRDS,
                {
                    "metadata": {"name": "things.example.com"},
                    "spec": {
                        "group": "example.com",
                        "names": names,
                        "scope": "Namespaced",
                        "versions": [version],
                    },
                },
            )
            things = cluster.server.registry.find("example.com", "v1", "things")
            assert things is not None
            await cluster.make(things, {"metadata": {"name": "one"}})
            await cluster.delete(CRDS, "things.example.com")
            await cluster.settled()
            assert not cluster.all(things)

    run(story)
