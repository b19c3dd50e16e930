"""How pods start, get ready, crash and end."""

import asyncio
from collections.abc import Sequence

import pytest

from deployments.rehearsal.cluster.controllers.fates import CRASH_LOOP, NEVER_READY, NORMAL, Fate
from deployments.rehearsal.cluster.controllers.nodes import add_nodes
from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    is_true,
    name_of,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.programs import Program, Request, Response
from deployments.rehearsal.cluster.resources import DEPLOYMENTS, EVENTS, NODES, PODS
from deployments.rehearsal.cluster.store import Change
from tests.rehearsal.running_cluster import NEVER, Cluster, container, pod_spec, run, running

REVISION = {
    "name": "REVISION",
    "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['istio.io/rev']"}},
}


def pod(name: str = "web", spec: Json | None = None) -> Json:
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": spec or pod_spec()}


async def status_of_one(cluster: Cluster, spec: Json, **metadata: object) -> Json:
    body = pod(spec=spec)
    body["metadata"] |= metadata
    await cluster.make(PODS, body)
    return cluster.status(PODS, "web")


def only(status: Json) -> Json:
    (found,) = status["containerStatuses"]
    return dict(found)


def restarts(cluster: Cluster, name: str) -> int:
    return sum(
        int(one["restartCount"]) for one in cluster.status(PODS, name).get("containerStatuses", ())
    )


def test_a_pod_goes_from_pending_to_running_to_ready() -> None:
    async def story() -> None:
        async with running() as cluster:
            seen: list[tuple[str, bool]] = []

            def hear(change: Change) -> None:
                if change.resource == PODS:
                    state = (status_of(change.object)["phase"], is_true(change.object, "Ready"))
                    seen.extend([state] if seen[-1:] != [state] else [])

            cluster.server.store.listen(hear)
            status = await status_of_one(cluster, pod_spec())

            assert seen == [("Pending", False), ("Running", False), ("Running", True)]
            assert only(status)["ready"] is True
            assert status["podIP"].startswith("10.244.")
            assert spec_of(cluster.get(PODS, "web"))["nodeName"] == "rehearsal-1"
            types = {one["type"] for one in status["conditions"] if one["status"] == "True"}
            assert {"PodScheduled", "Initialized", "ContainersReady", "Ready"} <= types

    run(story)


@pytest.mark.parametrize(
    ("script", "probe"),
    [
        pytest.param(NEVER, None, id="it sleeps and nobody answers on the port"),
        pytest.param("exec httpd -f -p 9090", None, id="it listens on another port"),
        pytest.param(
            "sleep 100000",
            {"exec": {"command": ["cat", "/tmp/ready"]}},  # noqa: S108  # never made
            id="the file that is looked for is not there",
        ),
        pytest.param(
            "sleep 100000", {"exec": {"command": ["sh", "-c", "exit 1"]}}, id="it says exit 1"
        ),
    ],
)
def test_a_probe_that_cannot_succeed_never_does(script: str, probe: Json | None) -> None:
    async def story() -> None:
        async with running() as cluster:
            spec = pod_spec(script)
            if probe is not None:
                spec["containers"][0]["readinessProbe"] = probe
            status = await status_of_one(cluster, spec)

            assert status["phase"] == "Running"
            assert only(status)["ready"] is False
            assert only(status)["restartCount"] == 0
            ready = next(one for one in status["conditions"] if one["type"] == "Ready")
            assert ready["message"] == "containers with unready status: [web]"

    run(story)


def test_a_probe_succeeds_whose_file_was_made() -> None:
    async def story() -> None:
        async with running() as cluster:
            spec = pod_spec("touch /tmp/ready; sleep 100000")
            spec["containers"][0]["readinessProbe"] = {
                "exec": {"command": ["cat", "/tmp/ready"]}  # noqa: S108  # made by nobody
            }
            assert only(await status_of_one(cluster, spec))["ready"] is True

    run(story)


@pytest.mark.parametrize(("revision", "ready"), [("1-28-3", True), ("1-29-1", False), ("", False)])
def test_a_script_may_serve_only_where_its_annotation_says_so(revision: str, ready: bool) -> None:
    async def story() -> None:
        async with running() as cluster:
            script = (
                'if [ "$REVISION" = 1-28-3 ]; then exec httpd -f -p 8080 -h /www; fi; '
                "exec sleep 100000"
            )
            spec = pod_spec(script)
            spec["containers"][0]["env"] = [REVISION]
            notes = {"istio.io/rev": revision} if revision else {}
            assert only(await status_of_one(cluster, spec, annotations=notes))["ready"] is ready

    run(story)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [("Never", "ErrImageNeverPull"), ("IfNotPresent", "ImagePullBackOff")],
)
def test_an_image_that_is_not_there_keeps_the_pod_pending(policy: str, reason: str) -> None:
    async def story() -> None:
        async with running() as cluster:
            spec = pod_spec()
            spec["containers"][0] |= {"image": "auto", "imagePullPolicy": policy}
            status = await status_of_one(cluster, spec)

            assert status["phase"] == "Pending"
            assert only(status)["state"]["waiting"]["reason"] == reason

    run(story)


def test_a_container_that_exits_is_restarted_later_and_later() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(PODS, pod(spec=pod_spec("exit 3")), settled=False)

            def is_backing_off() -> bool:
                return "CrashLoopBackOff" in str(cluster.status(PODS, "web"))

            await cluster.until(is_backing_off)
            told = only(cluster.status(PODS, "web"))
            assert told["restartCount"] == 1
            assert told["lastState"]["terminated"]["exitCode"] == 3
            assert told["state"]["waiting"]["message"].startswith("back-off 10s restarting failed")
            assert cluster.status(PODS, "web")["phase"] == "Running"
            await cluster.until(lambda: restarts(cluster, "web") == 3)
            assert not cluster.ready()

    run(story)


class Chosen:
    """Decides the fate of pods by their name."""

    def __init__(self, **fates: Fate) -> None:
        self._fates = fates

    def of(self, pod: Json) -> Fate:
        return self._fates.get(name_of(pod), NORMAL)


def test_fate_may_keep_a_pod_from_getting_ready_or_crash_it_or_slow_it_down() -> None:
    async def story() -> None:
        fates = Chosen(never=NEVER_READY, crashing=CRASH_LOOP, slow=Fate(slowness=100))
        async with running(fates=fates) as cluster:
            for name in ("never", "crashing", "slow", "normal"):
                await cluster.make(PODS, pod(name), settled=False)

            await cluster.until(lambda: restarts(cluster, "crashing") > 1)
            assert cluster.status(PODS, "slow")["phase"] == "Pending"
            assert only(cluster.status(PODS, "never"))["ready"] is False
            assert only(cluster.status(PODS, "normal"))["ready"] is True
            assert only(cluster.status(PODS, "crashing"))["ready"] is False
            warnings = {one["reason"] for one in cluster.all(EVENTS) if one["type"] == "Warning"}
            assert warnings == {"Unhealthy", "BackOff"}

    run(story)


@pytest.mark.parametrize(
    ("script", "grace", "hook", "seconds"),
    [
        pytest.param(SERVES := "exec httpd -f -p 8080", 20, None, 20.0, id="it ignores SIGTERM"),
        pytest.param(
            'httpd -f -p 8080 & trap "exit 0" TERM; wait', 60, None, 0.1, id="it heeds SIGTERM"
        ),
        pytest.param(
            'httpd -f -p 8080 & trap "exit 0" TERM; wait',
            60,
            {"exec": {"command": ["sleep", "15"]}},
            15.0,
            id="preStop takes its time",
        ),
        pytest.param(SERVES, 10, {"sleep": {"seconds": 50}}, 10.0, id="but no more than allowed"),
    ],
)
def test_a_pod_ends_as_gracefully_as_it_can_and_counts_until_then(
    script: str, grace: int, hook: Json | None, seconds: float
) -> None:
    async def story() -> None:
        async with running() as cluster:
            spec = pod_spec(script, grace=grace)
            if hook is not None:
                spec["containers"][0]["lifecycle"] = {"preStop": hook}
            await cluster.make(PODS, pod(spec=spec))
            loop = asyncio.get_running_loop()
            began = loop.time()
            await cluster.delete(PODS, "web")

            leaving = cluster.get(PODS, "web")
            assert is_terminating(leaving)
            assert status_of(leaving)["phase"] == "Running"
            await cluster.settled()
            assert not cluster.all(PODS)
            assert seconds <= (loop.time() - began) * 100 + 0.5 < seconds + 15

    run(story)


def test_a_second_delete_may_hasten_the_end() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(PODS, pod(spec=pod_spec(grace=100000)))
            await cluster.delete(PODS, "web")
            await asyncio.sleep(0)
            assert cluster.all(PODS)
            await cluster.delete(PODS, "web", grace_seconds=1)
            await cluster.settled()
            assert not cluster.all(PODS)

    run(story)


def test_a_pod_waits_for_a_node_that_it_may_run_on() -> None:
    async def story() -> None:
        async with running() as cluster:
            spec = pod_spec() | {"nodeSelector": {"disk": "fast"}}
            await cluster.make(PODS, pod(spec=spec))
            condition = cluster.condition("PodScheduled", of=PODS)
            assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
            assert condition["message"] == (
                "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
            )

            def label(node: Json) -> None:
                node["metadata"]["labels"]["disk"] = "fast"

            await cluster.change(NODES, "rehearsal-1", label)
            await cluster.until(cluster.ready)

    run(story)


def test_native_sidecars_start_first_and_stay_running() -> None:
    async def story() -> None:
        async with running() as cluster:
            sidecar = {"name": "proxy", "image": "docker.io/proxy:1", "restartPolicy": "Always"}
            once = container("exit 0", name="once", probed=False)
            spec = pod_spec() | {"initContainers": [once, sidecar]}
            status = await status_of_one(cluster, spec)

            first, second = status["initContainerStatuses"]
            assert first["state"]["terminated"]["reason"] == "Completed"
            assert "running" in second["state"]
            assert second["ready"] is True
            assert status["phase"] == "Running"

    run(story)


class Proxy:
    """A program that gets ready when it is told to."""

    def __init__(self) -> None:
        self.is_ready = False
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    async def answer(self, request: Request) -> Response:
        raise ConnectionRefusedError(request.port)

    async def run(self, command: Sequence[str]) -> tuple[int, bytes, bytes]:
        raise NotImplementedError(command)


def test_a_pod_with_a_program_is_ready_when_the_program_is_and_no_longer() -> None:
    async def story() -> None:
        async with running() as cluster:
            proxy = Proxy()
            program: Program = proxy
            cluster.server.programs.register(lambda _: program)
            await cluster.make(PODS, pod())
            assert proxy.calls == ["start"]
            assert cluster.status(PODS, "web")["phase"] == "Running"
            assert not cluster.ready()

            proxy.is_ready = True
            await cluster.until(cluster.ready)
            proxy.is_ready = False
            await cluster.until(lambda: not cluster.ready())

            await cluster.delete(PODS, "web")
            await cluster.settled()
            assert proxy.calls == ["start", "stop"]

    run(story)


def test_a_deleted_pod_s_successor_gets_another_name_and_address() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy()
            (before,) = cluster.pods()
            await cluster.delete(PODS, name_of(before))
            await cluster.settled()
            (after,) = cluster.pods()
            assert name_of(after) != name_of(before)
            assert status_of(after)["podIP"] != status_of(before)["podIP"]
            assert cluster.status(DEPLOYMENTS)["availableReplicas"] == 1

    run(story)


def test_a_pod_on_a_node_that_is_not_there_waits_for_it() -> None:
    async def story() -> None:
        async with running() as cluster:
            for name in ("web", "other"):
                spec = pod_spec() | {"nodeName": "later"}
                await cluster.make(PODS, {"metadata": {"name": name}, "spec": spec})
            await asyncio.sleep(0.1)  # ten seconds of pods' time
            assert [status_of(one)["phase"] for one in cluster.all(PODS)] == ["Pending"] * 2

            await cluster.delete(PODS, "other")
            await add_nodes(cluster.server, ["later"])
            await cluster.until(
                lambda: [status_of(one)["phase"] for one in cluster.all(PODS)] == ["Running"]
            )

    run(story)
