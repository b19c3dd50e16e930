"""Rollouts: Kubernetes' word is not believed, the pods are looked at."""

import msgspec
import pytest

from tasks.domain.inventory import Pod, Workload
from tasks.domain.rollout import Progress, Stage, judge
from tests.builders import NEW, pod, workload


def look(
    of: Workload | None,
    *pods: Pod,
    revision: str | None = NEW,
    ready_before: int = 2,
    generation: int = 0,
    is_late: bool = False,
) -> Progress:
    return judge(
        of,
        pods,
        revision=revision,
        ready_before=ready_before,
        generation=generation,
        is_late=is_late,
    )


def new(name: str, **changes: object) -> Pod:
    return msgspec.structs.replace(pod(name, revision=NEW), **changes)


def test_a_rollout_is_settled_when_every_pod_is_new_and_as_many_are_ready_as_before() -> None:
    progress = look(workload(), new("cart-3"), new("cart-4"))
    assert progress == Progress(stage=Stage.SETTLED, text="2 pods on 1-29-1")
    assert progress.is_over


@pytest.mark.parametrize(
    ("of", "pods", "text"),
    [
        pytest.param(
            workload(generation=2, observed_generation=1),
            (new("cart-3"), new("cart-4")),
            "Kubernetes has not seen the change yet",
            id="the controller has not looked yet, so the pods say nothing",
        ),
        pytest.param(
            workload(),
            (new("cart-3"), pod("cart-1")),
            "1 of 2 pods still on 1-28-3, 1 of 1 new ready",
            id="half a partition",
        ),
        pytest.param(
            workload(is_paused=True),
            (pod("cart-1"), pod("cart-2")),
            "2 of 2 pods still on 1-28-3",
            id="a paused Deployment, which kubectl calls rolled out",
        ),
        pytest.param(
            workload(),
            (new("cart-3"), pod("cart-1", revision=None)),
            "1 of 2 pods still on no revision, 1 of 1 new ready",
            id="a pod has lost its sidecar",
        ),
        pytest.param(
            workload(),
            (new("cart-3"), new("cart-4"), pod("cart-1", is_terminating=True)),
            "waiting for 1 pod to end",
            id="an old pod still serves its last requests",
        ),
        pytest.param(
            workload(),
            (
                new("cart-3"),
                pod("cart-1", is_terminating=True),
                pod("cart-2", is_terminating=True),
            ),
            "waiting for 2 pods to end",
            id="two do",
        ),
        pytest.param(
            workload(),
            (new("cart-3"), new("cart-4", is_ready=False)),
            "1 of 2 ready",
            id="a new pod is not ready",
        ),
        pytest.param(
            workload(),
            (new("cart-3"), new("cart-4", is_terminating=True)),
            "1 of 2 ready",
            id="a new pod that ends counts for nothing",
        ),
        pytest.param(
            workload(),
            (new("cart-3"), new("cart-4", is_ready=False, failure="CrashLoopBackOff: back-off")),
            "1 of 2 ready (cart-4: CrashLoopBackOff: back-off)",
            id="a container waits, and says why",
        ),
        pytest.param(
            workload(failure="exceeded quota: pods=2"),
            (pod("cart-1"), pod("cart-2")),
            "2 of 2 pods still on 1-28-3: exceeded quota: pods=2",
            id="quota is in the way, for now",
        ),
        pytest.param(
            workload(),
            (new("cart-3"), pod("cart-1", failure="ErrImagePull", is_terminating=True)),
            "waiting for 1 pod to end",
            id="nobody asks why a pod fails that is going anyway",
        ),
        pytest.param(
            None, (pod("cart-1"),), "it was deleted, 1 pod left", id="deleted, pods still there"
        ),
    ],
)
def test_a_rollout_goes_on(of: Workload | None, pods: tuple[Pod, ...], text: str) -> None:
    progress = look(of, *pods)
    assert progress == Progress(stage=Stage.ROLLING, text=text)
    assert not progress.is_over


@pytest.mark.parametrize(
    ("of", "pods", "ready_before", "text"),
    [
        pytest.param(
            workload(),
            (new("cart-3"), new("cart-4", is_ready=False)),
            1,
            "2 pods on 1-29-1",
            id="one was not ready before either",
        ),
        pytest.param(
            workload(replicas=1),
            (new("cart-3"),),
            2,
            "1 pod on 1-29-1",
            id="scaled down meanwhile",
        ),
        pytest.param(
            workload(replicas=0), (), 2, "0 pods on 1-29-1", id="scaled to nothing meanwhile"
        ),
        pytest.param(
            workload(),
            (new("cart-3"), new("cart-4"), pod("cart-1", phase="Failed")),
            2,
            "2 pods on 1-29-1",
            id="an old pod that was evicted keeps nothing in use",
        ),
        pytest.param(
            workload(is_stalled=True),
            (new("cart-3"), new("cart-4")),
            2,
            "2 pods on 1-29-1",
            id="Kubernetes gave up too early",
        ),
        pytest.param(None, (), 2, "it was deleted meanwhile", id="deleted with its pods"),
    ],
)
def test_a_rollout_is_settled(
    of: Workload | None, pods: tuple[Pod, ...], ready_before: int, text: str
) -> None:
    progress = look(of, *pods, ready_before=ready_before)
    assert progress == Progress(stage=Stage.SETTLED, text=text)


def test_a_workload_without_a_sidecar_is_settled_when_no_pod_has_one() -> None:
    bare = pod("cart-3", revision=None)
    assert look(workload(), bare, bare, revision=None).text == "2 pods on no revision"
    assert look(workload(), bare, pod("cart-1"), revision=None).stage is Stage.ROLLING


def test_a_stalled_rollout_of_a_healthy_workload_has_failed_and_says_why() -> None:
    stuck = workload(is_stalled=True, failure="ReplicaSet has timed out progressing")
    progress = look(stuck, new("cart-3", is_ready=False, failure="ImagePullBackOff"), pod("cart-1"))
    assert progress.stage is Stage.FAILED
    assert progress.is_over
    assert progress.text == (
        "1 of 2 pods still on 1-28-3, 0 of 1 new ready: ReplicaSet has timed out progressing "
        "(cart-3: ImagePullBackOff)"
    )


def test_a_stalled_rollout_without_a_message_still_has_a_reason() -> None:
    stuck = workload(is_stalled=True)
    progress = look(stuck, pod("cart-1"), pod("cart-2"))
    assert progress.text == "2 of 2 pods still on 1-28-3: it has stopped progressing"


def test_a_workload_that_was_ill_before_is_left_behind_and_fails_no_wave() -> None:
    pods = (pod("cart-1"), new("cart-3", is_ready=False))
    progress = look(workload(is_stalled=True), *pods, ready_before=1)
    assert progress.stage is Stage.LEFT_BEHIND
    assert progress.is_over


def test_a_workload_that_was_ill_before_and_has_fewer_ready_pods_now_has_failed() -> None:
    progress = look(workload(is_stalled=True), new("cart-3", is_ready=False), ready_before=1)
    assert progress.stage is Stage.FAILED


@pytest.mark.parametrize(
    ("of", "ready_before", "stage"),
    [
        pytest.param(workload(), 2, Stage.FAILED, id="all were ready"),
        pytest.param(workload(replicas=3), 2, Stage.FAILED, id="one of two ready has gone"),
        pytest.param(workload(replicas=3), 1, Stage.LEFT_BEHIND, id="as many are ready as were"),
        pytest.param(None, 2, Stage.LEFT_BEHIND, id="deleted, and its pods will not go"),
    ],
)
def test_what_comes_too_late_is_not_waited_for(
    of: Workload | None, ready_before: int, stage: Stage
) -> None:
    pods = (pod("cart-1"), new("cart-3", is_ready=False))
    assert look(of, *pods, ready_before=ready_before).stage is Stage.ROLLING
    assert look(of, *pods, ready_before=ready_before, is_late=True).stage is stage


def test_a_picture_from_before_the_restart_says_nothing_about_it() -> None:
    seen = workload(generation=4, observed_generation=4, is_stalled=True)
    settled = workload(generation=4, observed_generation=4)
    for one in (seen, settled):
        progress = look(one, new("cart-3"), new("cart-4", is_ready=False), generation=5)
        assert progress.stage is Stage.ROLLING
        assert progress.text.startswith("Kubernetes has not seen the change yet")
    assert look(seen, pod("cart-1"), generation=4).stage is Stage.FAILED


def test_an_old_verdict_of_stalled_is_not_about_the_restart() -> None:
    before_the_restart = workload(is_stalled=True, generation=3, observed_generation=2)
    assert look(before_the_restart, pod("cart-1")).stage is Stage.ROLLING


def test_a_rollout_goes_on_while_the_way_back_replaces_pods_that_never_moved() -> None:
    progress = look(workload(), new("cart-1"), new("cart-2"), new("cart-3", is_ready=False))
    assert progress == Progress(stage=Stage.ROLLING, text="1 more than 2 pods")


def test_a_single_pod_is_counted_as_one() -> None:
    progress = look(workload(replicas=1), new("cart-1"), new("cart-2"), ready_before=1)
    assert progress.text == "1 more than 1 pod"
