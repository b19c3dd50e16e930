"""Drawing up a plan: which revision goes, what moves, and in which waves."""

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tasks.domain.drafting import draft, select_old, tags_to_move, workload_move
from tasks.domain.errors import BadInputError
from tasks.domain.findings import Finding, Severity
from tasks.domain.inventory import Inventory, Kind, Namespace, Pod, Workload
from tasks.domain.parameters import parse_json
from tasks.domain.plan import Action, Plan, digest
from tests.builders import MESH, NEW, OLD, namespace, plane, pod, ref, tag, workload
from tests.unit.plan_cases import (
    ENABLED,
    INSTALL,
    REV_NEW,
    REV_OLD,
    asked,
    cart_move,
    drawn_from,
    mesh,
    space_move,
    spaces,
)

THIRD: Final = "1-27-5"
NO_INJECT: Final = {"sidecar.istio.io/inject": "false"}


def waves(plan: Plan) -> list[list[list[str]]]:
    """Return the names of the namespaces, by wave and batch."""
    return [
        [[move.name for move in batch.namespaces] for batch in wave.batches] for wave in plan.waves
    ]


def moved(of: Inventory) -> list[str]:
    return [one.name for one in draft(drawn_from(of)).namespaces]


# ---------------------------------------------------------------- the revision to replace


@pytest.mark.parametrize(
    ("of", "old"),
    [
        pytest.param(mesh(), OLD, id="the only one"),
        pytest.param(mesh(control_planes=(plane(NEW), plane(OLD))), OLD, id="beside the canary"),
        pytest.param(mesh(control_planes=(plane("default"),)), "default", id="unrevisioned"),
        pytest.param(spaces(control_planes=(plane(NEW),), tags=()), None, id="only the canary"),
        pytest.param(
            spaces(control_planes=(plane(THIRD),), tags=()), THIRD, id="the only one, unused"
        ),
        pytest.param(
            spaces(control_planes=(plane(THIRD), plane(OLD)), tags=(tag("prod", THIRD),)),
            THIRD,
            id="the one that a tag points to",
        ),
        pytest.param(
            mesh(
                control_planes=(plane(OLD), plane(THIRD)),
                tags=(),
                namespaces=(),
                pods=(pod(revision=THIRD), pod("till-1", phase="Succeeded")),
            ),
            THIRD,
            id="the one that live pods are on",
        ),
    ],
)
def test_the_revision_to_replace_is_clear(of: Inventory, old: str | None) -> None:
    assert select_old(of, asked()) == old


def test_a_revision_that_only_a_namespace_asks_for_is_in_use() -> None:
    labels = {"istio.io/rev": THIRD}
    given = mesh(
        control_planes=(plane(OLD), plane(THIRD)),
        tags=(),
        namespaces=(namespace(labels=labels),),
        pods=(),
    )
    assert select_old(given, asked()) == THIRD


def test_the_revision_to_replace_can_be_named() -> None:
    given = mesh(control_planes=(plane(OLD), plane(THIRD)))
    assert select_old(given, asked(from_revision=THIRD)) == THIRD


@pytest.mark.parametrize(
    ("of", "changes", "refusal"),
    [
        pytest.param(
            mesh(control_planes=()),
            {},
            "there is no istiod in namespace istio-system; "
            "an upgrade needs a control plane to start from",
            id="no control plane",
        ),
        pytest.param(
            mesh(),
            {"from_revision": THIRD},
            f"--from {THIRD}: there is no such revision; there are {OLD}",
            id="a revision that is not there",
        ),
        pytest.param(
            mesh(control_planes=(plane(OLD), plane(NEW))),
            {"from_revision": NEW},
            f"--from {NEW} is the new revision itself; name the one to replace",
            id="the canary itself",
        ),
        pytest.param(
            mesh(
                control_planes=(plane(OLD), plane(THIRD), plane("1-26-0")),
                tags=(tag("default", OLD), tag("prod", THIRD)),
            ),
            {},
            f"several revisions are there to be replaced: {OLD}, {THIRD}; name one with --from",
            id="two in use, and a third that is not",
        ),
        pytest.param(
            spaces(control_planes=(plane(OLD), plane(THIRD)), tags=()),
            {},
            f"several revisions are there to be replaced: {OLD}, {THIRD}; name one with --from",
            id="two, and neither in use",
        ),
    ],
)
def test_the_revision_to_replace_is_refused(
    of: Inventory, changes: dict[str, object], refusal: str
) -> None:
    with pytest.raises(BadInputError) as raised:
        select_old(of, asked(**changes))
    assert str(raised.value) == refusal


# ---------------------------------------------------------------- the plan as a whole


def test_a_plan_says_what_moves_and_what_was_asked_for() -> None:
    finding = Finding(
        code="surge", severity=Severity.WARNS, subject="cluster", fact="Full.", todo="Add."
    )
    given = drawn_from(overrides=["b:cluster", "a:cluster"])
    plan = draft(given, findings=[finding])
    assert (plan.old_revision, plan.old_version) == (OLD, "1.28.3")
    assert (plan.new_revision, plan.new_version) == (NEW, "1.29.1")
    assert plan.install == INSTALL
    assert plan.namespaces == (space_move("shop", cart_move()),)
    assert plan.tags == ("default",)
    assert plan.findings == (finding,)
    assert plan.overrides == ("a:cluster", "b:cluster")
    assert plan.removes_old
    assert parse_json(plan.parameters) == given.parameters


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(mesh(control_planes=(plane(OLD, version=None),)), id="its tag says nothing"),
        pytest.param(mesh(control_planes=(plane(NEW),)), id="its Deployment is gone"),
    ],
)
def test_an_unknown_old_version_is_said_to_be_unknown(of: Inventory) -> None:
    assert draft(drawn_from(of)).old_version == "unknown"


@pytest.mark.parametrize(
    ("changes", "gates"),
    [
        pytest.param({}, ("start", "wave-2", "wave-3", "default", "uninstall"), id="all of them"),
        pytest.param(
            {"keep_old": True}, ("start", "wave-2", "wave-3", "default"), id="nothing to uninstall"
        ),
        pytest.param(
            {"gates": {"at": ["uninstall", "start"]}},
            ("start", "uninstall"),
            id="in the run's order, not in that of the request",
        ),
        pytest.param({"gates": {"at": []}}, (), id="none"),
    ],
)
def test_gates_are_named_in_the_order_in_which_they_are_asked(
    changes: dict[str, object], gates: tuple[str, ...]
) -> None:
    parameters = asked(waves=[["b"], ["a"]], **changes)
    plan = draft(drawn_from(spaces("a", "b", "c"), parameters=parameters))
    assert plan.gates == gates


def test_a_run_that_keeps_the_old_revision_removes_nothing() -> None:
    assert not draft(drawn_from(keep_old=True)).removes_old


# ---------------------------------------------------------------- tags


@pytest.mark.parametrize(
    ("named", "tags"),
    [
        pytest.param(None, ("default", "prod", "test"), id="all that point to the old revision"),
        pytest.param(["prod"], ("default", "prod"), id="those named, and the default"),
        pytest.param([], ("default",), id="the default in any case"),
        pytest.param(["other"], ("default",), id="not one of another revision"),
    ],
)
def test_tags_move(named: list[str] | None, tags: tuple[str, ...]) -> None:
    given = mesh(tags=(tag("test"), tag("other", THIRD), tag(), tag("prod")))
    assert tags_to_move(drawn_from(given, tags=named)) == tags


def test_an_unrevisioned_istiod_is_the_default_without_a_tag() -> None:
    given = mesh(control_planes=(plane("default"),), tags=())
    assert tags_to_move(drawn_from(given, old="default")) == ("default",)


def test_an_unrevisioned_default_stays_where_another_revision_is_replaced() -> None:
    given = mesh(control_planes=(plane("default"), plane(OLD)), tags=())
    assert tags_to_move(drawn_from(given, old=OLD)) == ()


def test_a_default_that_has_moved_off_an_unrevisioned_istiod_stays_there() -> None:
    given = mesh(control_planes=(plane("default"), plane(NEW)), tags=(tag("default", NEW),))
    assert tags_to_move(drawn_from(given, old="default")) == ()


# ---------------------------------------------------------------- namespaces


@pytest.mark.parametrize(
    "space",
    [
        pytest.param(namespace(), id="it follows the default"),
        pytest.param(namespace(labels=REV_OLD), id="it names the revision"),
        pytest.param(namespace(labels={"istio.io/rev": "prod"}), id="it follows a tag"),
        pytest.param(namespace(labels=REV_NEW), id="it names the canary, its pods are old"),
    ],
)
def test_a_namespace_moves(space: Namespace) -> None:
    planes, tags = (plane(OLD), plane(NEW)), (tag(), tag("prod"))
    assert moved(mesh(control_planes=planes, tags=tags, namespaces=(space,))) == ["shop"]


@pytest.mark.parametrize(
    ("space", "pods"),
    [
        pytest.param(namespace(is_terminating=True), (pod(),), id="it is about to go"),
        pytest.param(namespace("kube-system"), (pod(namespace="kube-system"),), id="Kubernetes'"),
        pytest.param(namespace(MESH), (pod(namespace=MESH),), id="the control planes' own"),
        pytest.param(namespace(labels={}), (pod(),), id="its pods ask by themselves"),
        pytest.param(
            namespace(labels={"istio-injection": "disabled"} | REV_OLD), (pod(),), id="shut"
        ),
        pytest.param(
            namespace(labels={"istio.io/rev": "nosuch"}), (pod(),), id="it follows nobody"
        ),
        pytest.param(
            namespace(labels={"istio.io/rev": THIRD}), (pod(revision=THIRD),), id="another's"
        ),
        pytest.param(namespace(labels=REV_NEW), (pod(revision=NEW),), id="it has moved"),
        pytest.param(
            namespace(labels=REV_NEW), (pod(phase="Failed"),), id="only dead pods are left"
        ),
        pytest.param(
            namespace(labels=REV_NEW), (pod(namespace="bank"),), id="old pods are elsewhere"
        ),
    ],
)
def test_a_namespace_stays(space: Namespace, pods: tuple[Pod, ...]) -> None:
    planes = (plane(OLD), plane(NEW), plane(THIRD))
    assert moved(mesh(control_planes=planes, namespaces=(space,), pods=pods)) == []


def test_namespaces_and_their_workloads_are_planned_in_order() -> None:
    given = mesh(
        namespaces=(namespace("shop"), namespace("bank")),
        workloads=(workload("till"), workload("cart"), workload("vault", "bank")),
        pods=(pod("till-1"), pod("cart-1"), pod("vault-1", "bank")),
    )
    plan = draft(drawn_from(given))
    assert [one.name for one in plan.namespaces] == ["bank", "shop"]
    assert [one.ref.name for one in plan.workloads] == ["vault", "cart", "till"]


def test_only_labels_about_injection_are_recorded() -> None:
    given = mesh(namespaces=(namespace(labels=ENABLED | {"team": "a"}),))
    assert draft(drawn_from(given)).namespaces[0].before == ENABLED


def test_a_namespace_half_moved_by_an_earlier_run_gets_the_labels_of_before_that_run() -> None:
    given = mesh(control_planes=(plane(OLD), plane(NEW)), namespaces=(namespace(labels=REV_NEW),))
    plan = draft(drawn_from(given, carried={"shop": ENABLED}))
    assert plan.namespaces == (space_move("shop", cart_move()),)
    assert plan.settle_only == ()


def test_a_namespace_moved_by_an_earlier_run_is_only_settled() -> None:
    given = spaces("a", control_planes=(plane(OLD), plane(NEW)))
    carried = {"z": ENABLED, "y": REV_OLD, "gone": ENABLED}
    moved_before = (namespace("y", labels=REV_NEW), namespace("z", labels=REV_NEW))
    both = mesh(
        control_planes=given.control_planes,
        namespaces=(*given.namespaces, *moved_before),
        workloads=(),
        pods=(),
    )
    plan = draft(drawn_from(both, carried=carried))
    assert waves(plan) == [[["a"]]]
    assert plan.settle_only == (
        space_move("y", before=REV_OLD, after=REV_NEW),
        space_move("z", before=ENABLED, after=ENABLED),
    )


# ---------------------------------------------------------------- labels at the end


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(ENABLED, ENABLED, id="the default has moved, so it means the new one"),
        pytest.param({"istio.io/rev": "prod"}, {"istio.io/rev": "prod"}, id="so has its tag"),
        pytest.param(
            {"istio.io/rev": "stays"}, REV_NEW, id="its tag stays behind, so it names the canary"
        ),
        pytest.param(REV_OLD, REV_NEW, id="it named the old revision, and names the new one"),
        pytest.param(
            ENABLED | REV_OLD,
            ENABLED | REV_NEW,
            id="both labels: the default decides, the other would keep the old one in use",
        ),
        pytest.param(
            ENABLED | {"istio.io/rev": "prod"},
            ENABLED | {"istio.io/rev": "prod"},
            id="both labels, neither names the old revision",
        ),
        pytest.param(REV_NEW, REV_NEW, id="it named the new one before"),
    ],
)
def test_at_the_end_a_namespace_says_what_it_said_where_that_means_the_new_revision(
    before: dict[str, str], after: dict[str, str]
) -> None:
    given = mesh(
        control_planes=(plane(OLD), plane(NEW)),
        tags=(tag(), tag("prod"), tag("stays")),
        namespaces=(namespace(labels=REV_NEW),),
    )
    plan = draft(drawn_from(given, tags=["prod"], carried={"shop": before}))
    assert plan.namespaces[0].before == before
    assert plan.namespaces[0].after == after


@pytest.mark.parametrize(
    "before", [ENABLED, REV_OLD, ENABLED | REV_OLD], ids=["default", "revision", "both"]
)
def test_who_asks_for_revisions_gets_the_explicit_label_alone(before: dict[str, str]) -> None:
    given = mesh(namespaces=(namespace(labels=before),))
    plan = draft(drawn_from(given, labels_afterwards="revision"))
    assert plan.namespaces[0].after == REV_NEW


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(ENABLED, id="by istio-injection"),
        pytest.param({"istio.io/rev": "default"}, id="by the name that the istiod had"),
    ],
)
def test_the_default_of_an_unrevisioned_mesh_is_followed_as_before(before: dict[str, str]) -> None:
    given = mesh(
        control_planes=(plane("default"),),
        tags=(),
        namespaces=(namespace(labels=before),),
        pods=(pod(revision="default"),),
    )
    plan = draft(drawn_from(given, old="default"))
    assert plan.namespaces[0].after == before


def test_a_namespace_follows_a_default_that_moved_in_an_earlier_run() -> None:
    given = mesh(
        control_planes=(plane(OLD), plane(NEW)),
        tags=(tag("default", NEW),),
        namespaces=(namespace(labels=REV_NEW),),
        pods=(),
    )
    plan = draft(drawn_from(given, carried={"shop": ENABLED}))
    assert plan.tags == ()
    assert plan.settle_only == (space_move(),)


def test_a_default_that_is_another_revisions_is_not_what_a_namespace_followed() -> None:
    given = mesh(
        control_planes=(plane(OLD), plane(NEW), plane(THIRD)),
        tags=(tag("default", THIRD),),
        namespaces=(namespace(labels=REV_NEW),),
    )
    plan = draft(drawn_from(given, carried={"shop": ENABLED}))
    assert plan.namespaces[0].after == REV_NEW


# ---------------------------------------------------------------- workloads


@pytest.mark.parametrize(
    ("of", "pods", "action"),
    [
        pytest.param(workload(), (pod(),), Action.RESTART, id="a Deployment"),
        pytest.param(
            workload(kind=Kind.ROLLOUT, strategy="canary"), (pod(),), Action.RESTART, id="a Rollout"
        ),
        pytest.param(
            workload(kind=Kind.DAEMON_SET, strategy="OnDelete"),
            (pod(),),
            Action.DELETE_PODS,
            id="nobody replaces the pods of OnDelete",
        ),
        pytest.param(
            workload(kind=Kind.STATEFUL_SET, partition=1),
            (pod(),),
            Action.DELETE_PODS,
            id="nobody replaces the pods below a partition",
        ),
        pytest.param(
            workload(template_labels=NO_INJECT),
            (pod(is_gateway=True),),
            Action.BY_ITSELF,
            id="Istio rolls its own gateways",
        ),
        pytest.param(workload(template_labels=NO_INJECT), (pod(),), None, id="no sidecar is asked"),
        pytest.param(workload(), (), None, id="no pods"),
        pytest.param(workload(is_paused=True), (pod(),), None, id="people have paused it"),
        pytest.param(workload(kind=Kind.JOB), (pod(),), None, id="a Job is never restarted"),
    ],
)
def test_a_workload_gets_new_pods(
    of: Workload, pods: tuple[Pod, ...], action: Action | None
) -> None:
    move = workload_move(of, pods)
    expected = None if action is None else cart_move(ref=of.ref, action=action, pods=len(pods))
    assert move == expected


def test_a_workload_whose_pods_ran_to_their_end_is_left_alone() -> None:
    given = mesh(
        workloads=(workload(), workload("sums")), pods=(pod(), pod("sums-1", phase="Succeeded"))
    )
    assert [one.ref for one in draft(drawn_from(given)).workloads] == [ref()]


# ---------------------------------------------------------------- waves and batches


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [
        pytest.param([], [[["a"], ["b"], ["c"], ["d"]]], id="one wave, one namespace a batch"),
        pytest.param([["d", "b"]], [[["d"], ["b"]], [["a"], ["c"]]], id="the rest goes last"),
        pytest.param(
            [["c"], ["a", "b", "d"]], [[["c"]], [["a"], ["b"], ["d"]]], id="nothing is left"
        ),
        pytest.param(
            [["plain"], ["a"]],
            [[["a"]], [["b"], ["c"], ["d"]]],
            id="a wave in which nothing moves is none",
        ),
    ],
)
def test_waves_are_as_asked(asked_for: list[list[str]], expected: list[list[list[str]]]) -> None:
    given = spaces("c", "a", "d", "b")
    plain = namespace("plain", labels={})
    both = mesh(namespaces=(*given.namespaces, plain), workloads=(), pods=())
    plan = draft(drawn_from(both, waves=asked_for))
    assert waves(plan) == expected
    assert [one.number for one in plan.waves] == list(range(1, len(expected) + 1))


def test_a_wave_cannot_name_a_namespace_that_is_not_there() -> None:
    with pytest.raises(BadInputError) as raised:
        draft(drawn_from(waves=[["shop"], ["shpo"]]))
    assert str(raised.value) == "--wave names namespace shpo, which does not exist"


def test_batches_are_as_large_as_asked_and_numbered_within_their_wave() -> None:
    given = spaces("a", "b", "c", "d", "e")
    plan = draft(drawn_from(given, waves=[["e"]], limits={"namespaces_per_batch": 3}))
    assert waves(plan) == [[["e"]], [["a", "b", "c"], ["d"]]]
    numbers = [(one.wave, one.number) for wave in plan.waves for one in wave.batches]
    assert numbers == [(1, 1), (2, 1), (2, 2)]


@pytest.mark.parametrize(
    ("namespaces", "batches"),
    [(300, 300), (301, 151), (601, 201)],
)
def test_a_large_mesh_is_cut_into_fewer_batches_than_prefect_bears(
    namespaces: int, batches: int
) -> None:
    plan = draft(drawn_from(spaces(*(f"n{number}" for number in range(namespaces)))))
    assert len(plan.namespaces) == namespaces
    assert sum(len(wave.batches) for wave in plan.waves) == batches


def test_a_mesh_without_anything_to_move_has_no_waves() -> None:
    assert draft(drawn_from(spaces())).waves == ()


_NAMES: Final = ["a", "b", "c", "d", "e", "f"]


@drawn(
    st.permutations(_NAMES),
    st.permutations(_NAMES),
    st.lists(st.integers(0, 6), max_size=3),
    st.integers(1, 4),
)
def test_every_namespace_moves_once_in_the_same_place_however_the_cluster_lists_them(
    listed: list[str], order: list[str], cuts: list[int], per_batch: int
) -> None:
    edges = [0, *sorted(cuts)]
    wanted = [order[one:two] for one, two in pairwise(edges) if one < two]
    parameters = asked(waves=wanted, limits={"namespaces_per_batch": per_batch})
    plan = draft(drawn_from(spaces(*listed), parameters=parameters))
    assert sorted(one.name for one in plan.namespaces) == _NAMES
    assert all(len(batch) <= per_batch for wave in waves(plan) for batch in wave)
    assert digest(plan) == digest(draft(drawn_from(spaces(*_NAMES), parameters=parameters)))
