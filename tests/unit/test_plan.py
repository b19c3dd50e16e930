"""The plan: what its digest stands for, and how its parts are counted and named."""

import json
from typing import Final

import msgspec
import pytest

from tasks.domain.errors import RefusedError
from tasks.domain.findings import Finding, Severity
from tasks.domain.plan import (
    Batch,
    LeftToPeople,
    Wave,
    canonical,
    cut_into_batches,
    decoded,
    digest,
    injection_labels,
)
from tasks.domain.rendering import InstallRequest, Overlay
from tests.builders import NEW, OLD, ref
from tests.unit.plan_cases import ENABLED, INSTALL, REV_NEW, cart_move, plan, space_move

FULL: Final = plan(
    waves=(
        Wave(
            number=1,
            batches=(Batch(number=1, wave=1, namespaces=(space_move("shop", cart_move()),)),),
        ),
    ),
    settle_only=(space_move("bank", cart_move(ref=ref("till", "bank"))),),
    tags=("default", "prod"),
    left_to_people=(LeftToPeople(subject="shop/Job/sums", why="a Job", todo="wait"),),
    findings=(
        Finding(
            code="surge", severity=Severity.WARNS, subject="cluster", fact="Full.", todo="Add."
        ),
    ),
    overrides=("surge:cluster",),
    gates=("start", "default"),
    removes_old=False,
    parameters='{"to":"1.29.1"}',
)


# ---------------------------------------------------------------- the digest


def test_a_plan_survives_being_recorded() -> None:
    again = decoded(canonical(FULL))
    assert again == FULL
    assert digest(again) == digest(FULL)


def test_the_canonical_form_has_sorted_keys_and_no_white_space() -> None:
    document = json.loads(canonical(FULL))
    spelled = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(FULL) == spelled.encode()


def test_the_order_in_which_labels_were_read_does_not_change_the_digest() -> None:
    one = space_move(before={"istio-injection": "enabled", "istio.io/rev": OLD})
    other = space_move(before={"istio.io/rev": OLD, "istio-injection": "enabled"})
    assert digest(plan(settle_only=(one,))) == digest(plan(settle_only=(other,)))


def test_the_digest_is_a_sha_256_in_hexadecimal() -> None:
    assert len(digest(FULL)) == 64
    assert set(digest(FULL)) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"new_version": "1.29.2"}, id="another version"),
        pytest.param({"tags": ("default",)}, id="a tag fewer"),
        pytest.param({"waves": ()}, id="nothing moves"),
        pytest.param({"gates": ()}, id="nobody is asked"),
        pytest.param({"overrides": ()}, id="nothing is overridden"),
        pytest.param({"removes_old": True}, id="the old revision goes"),
        pytest.param({"parameters": '{"to":"1.29.1","sets":[]}'}, id="other parameters"),
        pytest.param(
            {"install": msgspec.structs.replace(INSTALL, manifest_sha256="b" * 64)},
            id="another manifest",
        ),
        pytest.param(
            {
                "install": msgspec.structs.replace(
                    INSTALL,
                    request=InstallRequest(
                        revision=NEW, overlays=(Overlay(name="a.yaml", content="spec: {}"),)
                    ),
                )
            },
            id="another overlay",
        ),
    ],
)
def test_people_approve_all_that_a_plan_says(changes: dict[str, object]) -> None:
    assert digest(msgspec.structs.replace(FULL, **changes)) != digest(FULL)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not json", id="no JSON"),
        pytest.param(b'{"old_revision":"1-28-3"}', id="half a plan"),
        pytest.param(b"[]", id="something else"),
    ],
)
def test_a_recorded_plan_that_cannot_be_read_stops_the_run(document: bytes) -> None:
    with pytest.raises(RefusedError, match="the recorded plan cannot be read: "):
        decoded(document)


# ---------------------------------------------------------------- its parts


def test_labels_other_than_injection_are_no_business_of_the_plan() -> None:
    labels = {"team": "a", "istio.io/rev": NEW, "istio-injection": "enabled"}
    assert injection_labels(labels) == ENABLED | REV_NEW
    assert injection_labels({"team": "a"}) == {}


def test_every_namespace_that_is_touched_is_listed_those_only_settled_last() -> None:
    assert [one.name for one in FULL.namespaces] == ["shop", "bank"]
    assert [one.ref.name for one in FULL.workloads] == ["cart", "till"]


def test_a_wave_is_cut_into_batches_in_order_and_the_last_is_what_is_left() -> None:
    moves = [space_move(name) for name in ("a", "b", "c", "d", "e")]
    batches = cut_into_batches(moves, wave=2, per_batch=2)
    assert [(one.wave, one.number) for one in batches] == [(2, 1), (2, 2), (2, 3)]
    assert [[move.name for move in one.namespaces] for one in batches] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert Wave(number=2, batches=batches).namespaces == tuple(moves)
    assert cut_into_batches([], wave=1, per_batch=2) == ()


@pytest.mark.parametrize(
    ("names", "title"),
    [
        pytest.param(["a"], "a", id="one"),
        pytest.param(["a", "b", "c"], "a, b, c", id="as many as can be read"),
        pytest.param(["a", "b", "c", "d"], "a and 3 more", id="one too many"),
    ],
)
def test_a_batch_is_titled_by_its_namespaces(names: list[str], title: str) -> None:
    moves = tuple(space_move(name) for name in names)
    assert Batch(number=1, wave=1, namespaces=moves).title == title


def test_a_plan_without_waves_touches_nothing() -> None:
    assert plan().namespaces == ()
    assert plan().workloads == ()
