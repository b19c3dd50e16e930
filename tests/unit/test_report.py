"""What people and programs are told: tables, sentences and the documents of `-o json`."""

from typing import Any, Final

import msgspec
import pytest

from tasks.domain.approval import Answer, Verdict
from tasks.domain.documents import DoctorReport, Examined, RunReport, StatusReport, VoteReport
from tasks.domain.findings import Finding, Severity
from tasks.domain.journal import (
    Asked,
    Attempted,
    Decided,
    Entry,
    Finished,
    Holding,
    Moved,
    Outcome,
    Planned,
    RollingBack,
    RunRecord,
    Settled,
    Started,
    Step,
)
from tasks.domain.plan import Action, Batch, LeftToPeople, Plan, Wave, digest
from tasks.domain.policy import Policy
from tasks.domain.report import (
    audit_lines,
    audit_report,
    decisions_table,
    examined_row,
    finding_lines,
    findings_table,
    has_lapsed,
    moved_namespaces,
    plan_lines,
    plan_report,
    plan_table,
    progress_percent,
    proxies_table,
    run_report,
    run_status,
    state_report,
    status_row,
    story,
    with_run,
)
from tasks.domain.verification import Problem, Verification
from tests.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    REQUESTER,
    RUN,
    after,
    gate,
    inventory,
    istiod,
    namespace,
    plane,
    pod,
    ref,
    report,
    silent,
    unread,
    vote,
)
from tests.unit.plan_cases import ENABLED, REV_NEW, REV_OLD, cart_move, plan, space_move

BLOCKS: Final = Finding(
    code="paused-deployment",
    severity=Severity.BLOCKS,
    subject="shop/Deployment/cart",
    fact="It is paused.",
    todo="Resume it.",
)
WARNS: Final = Finding(
    code="surge", severity=Severity.WARNS, subject="cluster", fact="It is full.", todo="Add a node."
)
TILL: Final = cart_move(ref=ref("till", "bank"), action=Action.DELETE_PODS, pods=3)
DONE: Final = Finished(at=after(90), outcome=Outcome.DONE, text="all is on 1-29-1")


def waves(*of: Batch) -> tuple[Wave, ...]:
    return tuple(Wave(number=one.wave, batches=(one,)) for one in of)


TWO_WAVES: Final = plan(
    waves=waves(
        Batch(number=1, wave=1, namespaces=(space_move("shop", cart_move()),)),
        Batch(
            number=1,
            wave=2,
            namespaces=(
                space_move("bank", TILL, cart_move(ref=ref("safe", "bank"))),
                space_move("desk", before={}, after={**REV_NEW, **ENABLED}),
            ),
        ),
    ),
    settle_only=(space_move("past", before=REV_NEW),),
)


def journal(*entries: Entry) -> RunRecord:
    started = Started(
        at=NOW, parameters="0" * 64, target="1.29.1", revision=NEW, old=OLD, requester=REQUESTER
    )
    return RunRecord(run=RUN, entries=(started, *entries))


def attempt(flow_run: str = "f1") -> Attempted:
    return Attempted(at=NOW, flow_run=flow_run, flow="upgrade")


def step(text: str = "installed", **changes: object) -> Step:
    return msgspec.structs.replace(Step(at=after(5), text=text), **changes)


def lease(**changes: object) -> Holding:
    held = Holding(run=RUN, process="p1", renewed_at=NOW, duration_seconds=30, version="7")
    return msgspec.structs.replace(held, **changes)


def document(told: msgspec.Struct) -> Any:  # noqa: ANN401 - JSON of any form
    return msgspec.json.decode(msgspec.json.encode(told))


# ---------------------------------------------------------------- the documents of -o json


def test_the_document_of_a_run_says_how_it_ended() -> None:
    told = RunReport(outcome=Outcome.BLOCKED, exit_code=3, text="no")
    assert document(told) == {
        "schema": "istio-canary/report/v1",
        "run": None,
        "outcome": "Blocked",
        "exit_code": 3,
        "text": "no",
        "todo": [],
        "flow_runs": [],
    }


def test_the_document_of_a_plan_contains_the_plan_that_people_approve() -> None:
    made = document(plan_report(TWO_WAVES))
    assert set(made) == {
        *("schema", "outcome", "exit_code", "text", "digest", "blocked_by", "plan"),
    }
    assert made["schema"] == "istio-canary/plan/v1"
    assert made["digest"] == digest(TWO_WAVES)
    assert msgspec.convert(made["plan"], Plan) == TWO_WAVES


def test_the_document_of_status_lists_runs_with_their_gates() -> None:
    waiting = run_status(journal(attempt(), step(), Asked(gate=gate())), lease(), now=NOW)
    assert document(StatusReport(runs=(waiting,))) == {
        "schema": "istio-canary/status/v1",
        "runs": [
            {
                "run": RUN,
                "state": "Waiting",
                "target": "1.29.1",
                "revision": NEW,
                "old": OLD,
                "requester": REQUESTER,
                "outcome": None,
                "text": "installed",
                "gate": {
                    "name": "start",
                    "digest": DIGEST,
                    "expires_at": "2026-03-02T13:00:00+00:00",
                    "quorum": 1,
                },
                "flow_runs": ["f1"],
                "namespaces_moved": [],
            }
        ],
    }


def test_the_document_of_an_audit_says_who_is_where() -> None:
    assert document(audit_report(inventory(control_planes=(plane(OLD),)), [silent()])) == {
        "schema": "istio-canary/audit/v1",
        "control_planes": [{"revision": OLD, "version": "1.28.3", "ready": "1/1"}],
        "tags": {"default": OLD},
        "namespaces": [],
        "proxies_by_revision": {},
        "connected_by_istiod": {f"istiod-{OLD}-0": None},
        "unread": [f"proxies of istiod-{OLD}-0 were not read: no answer in 5 s"],
    }


def test_the_document_of_a_vote_names_who_answered_what() -> None:
    told = VoteReport(
        run=RUN, gate="start", answer="approve", person="kubernetes:bob", digest=DIGEST, text="ok"
    )
    assert document(told) == {
        "schema": "istio-canary/vote/v1",
        "run": RUN,
        "gate": "start",
        "answer": "approve",
        "person": "kubernetes:bob",
        "digest": DIGEST,
        "text": "ok",
    }


def test_the_document_of_doctor_lists_what_was_looked_at() -> None:
    looked = Examined(what="istioctl", is_good=False, text="not found", todo="install it")
    assert document(DoctorReport(is_healthy=False, checks=(looked,))) == {
        "schema": "istio-canary/doctor/v1",
        "is_healthy": False,
        "checks": [
            {"what": "istioctl", "is_good": False, "text": "not found", "todo": "install it"}
        ],
    }


def test_what_doctor_found_is_a_row_that_shows_trouble() -> None:
    good = Examined(what="API", is_good=True, text="v1.34.4")
    bad = Examined(what="istioctl", is_good=False, text="not found", todo="install it")
    assert examined_row(good) == {"what": "API", "": "ok", "found": "v1.34.4", "to do": ""}
    assert examined_row(bad) == {
        "what": "istioctl",
        "": "NOT OK",
        "found": "not found",
        "to do": "install it",
    }


# ---------------------------------------------------------------- findings


def test_findings_are_rows_under_the_names_that_overrides_use() -> None:
    assert findings_table([BLOCKS, WARNS]) == [
        {
            "severity": "BLOCKS",
            "finding": "paused-deployment:shop/Deployment/cart",
            "what": "It is paused.",
            "what to do": "Resume it.",
        },
        {
            "severity": "WARNS",
            "finding": "surge:cluster",
            "what": "It is full.",
            "what to do": "Add a node.",
        },
    ]


def test_findings_are_lines_whose_names_stand_below_each_other() -> None:
    assert finding_lines([BLOCKS, WARNS]) == [
        "BLOCKS  paused-deployment:shop/Deployment/cart: It is paused. Resume it.",
        "WARNS   surge:cluster: It is full. Add a node.",
    ]


# ---------------------------------------------------------------- the plan


def test_the_plans_table_has_a_row_for_each_namespace_in_order() -> None:
    keys = ("wave", "batch", "namespace", "says now", "will say", "workloads")
    enabled = "istio-injection=enabled"
    restarts = "Deployment/till: delete pods (3), Deployment/safe: restart (2)"
    assert [tuple(row) for row in plan_table(TWO_WAVES)] == [keys] * 4
    assert [tuple(row.values()) for row in plan_table(TWO_WAVES)] == [
        ("1", "1", "shop", enabled, enabled, "Deployment/cart: restart (2)"),
        ("2", "1", "bank", enabled, enabled, restarts),
        ("2", "1", "desk", "nothing", f"{enabled}, istio.io/rev={NEW}", "none to restart"),
        ("moved before", "", "past", f"istio.io/rev={NEW}", enabled, "none to restart"),
    ]


def test_a_plan_that_moves_nothing_says_so_line_by_line() -> None:
    nothing = plan()
    assert plan_table(nothing) == []
    assert plan_lines(nothing) == [
        "Istio 1.28.3 (revision 1-28-3) to 1.29.1 (revision 1-29-1)",
        f"plan {digest(nothing)[:12]}: 0 namespaces, 0 workloads, 0 pods",
        "at the end: uninstall 1-28-3, when nothing uses it",
        "gates: none",
    ]


def test_a_whole_plan_is_told_in_the_order_in_which_it_is_done() -> None:
    whole = msgspec.structs.replace(
        TWO_WAVES,
        tags=("default", "prod"),
        left_to_people=(LeftToPeople(subject="shop/Job/sums", why="it is a Job", todo="wait"),),
        gates=("start", "default"),
        removes_old=False,
    )
    assert plan_lines(whole)[1:] == [
        f"plan {digest(whole)[:12]}: 4 namespaces, 3 workloads, 7 pods",
        "wave 1:",
        "  shop: istio-injection=enabled; restarts Deployment/cart",
        "wave 2:",
        "  bank: istio-injection=enabled; restarts Deployment/till, Deployment/safe",
        "  desk: nothing; nothing to restart",
        "moved by an earlier run: past",
        "tags to move: default, prod",
        "at the end: revision 1-28-3 is kept",
        "left to people: shop/Job/sums: it is a Job; wait",
        "gates: start, default",
    ]


def test_a_finding_that_blocks_makes_the_plan_blocked() -> None:
    made = plan_report(plan(findings=(BLOCKS, WARNS)))
    assert (made.outcome, made.exit_code) == (Outcome.BLOCKED, 3)
    assert made.blocked_by == (BLOCKS.name,)
    assert made.text == "blocked by 1 of the findings"


def test_a_plan_whose_blocking_findings_are_overridden_is_good() -> None:
    made = plan_report(plan(findings=(BLOCKS, WARNS), overrides=(BLOCKS.name,)))
    assert (made.outcome, made.exit_code) == (Outcome.DONE, 0)
    assert made.blocked_by == ()
    assert made.text == "this is what would be done"


@pytest.mark.parametrize(
    ("moved", "expected"), [((), 0.0), ((1,), 50.0), ((1, 1), 50.0), ((1, 2), 100.0)]
)
def test_progress_counts_each_moved_wave_once(moved: tuple[int, ...], expected: float) -> None:
    record = journal(*(Moved(at=NOW, wave=one) for one in moved))
    assert progress_percent(record, TWO_WAVES) == expected


def test_a_plan_without_waves_is_all_done() -> None:
    assert progress_percent(journal(), plan()) == 100.0


# ---------------------------------------------------------------- proxies and decisions


def test_the_proxies_table_counts_and_then_names_who_has_not_arrived() -> None:
    seen = Verification(arrived=2, problems=(Problem(pod="shop/cart-1", why="has no sidecar"),))
    assert proxies_table(seen, {OLD: 1, NEW: 2}) == [
        {"revision": OLD, "proxies": "1", "problem": ""},
        {"revision": NEW, "proxies": "2", "problem": ""},
        {"revision": "", "proxies": "shop/cart-1", "problem": "has no sidecar"},
    ]


def test_the_decisions_table_has_a_row_for_each_vote() -> None:
    votes = (vote(reason="looks good", via="slack"), vote("kubernetes:eve", Answer.REJECT))
    rows = decisions_table(
        [
            Decided(at=NOW, gate="start", verdict=Verdict.REJECTED, votes=votes),
            Decided(at=NOW, gate="default", verdict=Verdict.EXPIRED),
        ]
    )
    assert rows[0] == {
        "gate": "start",
        "verdict": "rejected",
        "by": "kubernetes:bob",
        "via": "slack",
        "at": "2026-03-02 12:01:00 UTC",
        "reason": "looks good",
    }
    assert [(row["gate"], row["by"]) for row in rows[1:]] == [
        ("start", "kubernetes:eve"),
        ("default", "nobody"),
    ]
    assert rows[2] == {"gate": "default", "verdict": "expired", "by": "nobody"}


# ---------------------------------------------------------------- how a run ended


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.DONE, 0),
        (Outcome.NOTHING_TO_DO, 0),
        (Outcome.CRASHED, 1),
        (Outcome.BAD_INPUT, 2),
        (Outcome.BLOCKED, 3),
        (Outcome.REJECTED, 4),
        (Outcome.ABORTED, 4),
        (Outcome.EXPIRED, 4),
        (Outcome.ROLLED_BACK, 5),
        (Outcome.STOPPED, 6),
        (Outcome.INTERRUPTED, 130),
    ],
)
def test_an_outcome_has_its_exit_code_from_the_journal_and_from_prefect(
    outcome: Outcome, code: int
) -> None:
    ended = Finished(at=NOW, outcome=outcome, text="over", todo=("look",))
    assert run_report(journal(attempt(), ended)) == RunReport(
        run=RUN, outcome=outcome, exit_code=code, text="over", todo=("look",), flow_runs=("f1",)
    )
    assert state_report(str(outcome), "over").exit_code == code


def test_every_outcome_has_an_exit_code() -> None:
    assert {one.exit_code for one in Outcome} == {0, 1, 2, 3, 4, 5, 6, 130}


def test_a_run_that_is_not_over_has_no_report() -> None:
    assert run_report(journal(attempt())) is None
    assert run_report(journal(DONE, RollingBack(at=NOW, requester=REQUESTER))) is None


def test_a_flow_runs_message_gives_the_text_and_what_to_do() -> None:
    told = state_report("Blocked", "two findings block\n- resume cart\nsee the plan\n- add a node")
    assert told == RunReport(
        outcome=Outcome.BLOCKED,
        exit_code=3,
        text="two findings block\nsee the plan",
        todo=("resume cart", "add a node"),
    )


def test_a_state_that_is_no_outcome_of_ours_is_a_crash() -> None:
    told = state_report("Cancelled", "")
    assert (told.outcome, told.exit_code) == (Outcome.CRASHED, 1)
    assert told.text == "the flow run ended as Cancelled"


def test_a_report_is_told_which_run_it_is_about() -> None:
    told = with_run(state_report("Done", "over"), run=RUN, flow_runs=("f1", "f2"))
    assert (told.run, told.flow_runs) == (RUN, ("f1", "f2"))
    assert (told.outcome, told.text) == (Outcome.DONE, "over")


# ---------------------------------------------------------------- the story


def test_the_story_tells_what_was_asked_what_happened_and_how_it_ended() -> None:
    ended = Finished(
        at=after(90), outcome=Outcome.STOPPED, text="cart fails", todo=("mend cart", "try again")
    )
    assert story(journal(step("installed"), step("wave 1 moved", at=after(65)), ended)) == (
        "# Istio 1.29.1 as revision `1-29-1`\n"
        "\n"
        "Run `run-1`, asked for by kubernetes:ann, begun 2026-03-02 12:00:00 UTC.\n"
        "\n"
        "**Stopped** after 90 s: cart fails\n"
        "\n"
        "- mend cart\n"
        "- try again\n"
        "\n"
        "## What happened\n"
        "\n"
        "- 12:00:05 installed\n"
        "- 12:01:05 wave 1 moved\n"
    )


def test_the_story_of_a_run_under_way_has_no_end() -> None:
    told = story(journal(step()))
    assert "after" not in told
    assert told.endswith("## What happened\n\n- 12:00:05 installed\n")


@pytest.mark.parametrize("sign", list("\\`*_[]<>#|"))
def test_a_name_in_the_story_means_nothing_in_markdown(sign: str) -> None:
    name = f"a{sign}b"
    ended = Finished(at=NOW, outcome=Outcome.STOPPED, text=f"{name} fails", todo=(f"mend {name}",))
    told = story(journal(step(f"{name} moved"), ended)).splitlines()
    assert f"**Stopped** after 0 s: a\\{sign}b fails" in told
    assert f"- mend a\\{sign}b" in told
    assert f"- 12:00:05 a\\{sign}b moved" in told


# ---------------------------------------------------------------- status


@pytest.mark.parametrize(
    ("entries", "held", "expected"),
    [
        pytest.param((step(),), lease(), "Running", id="a process works"),
        pytest.param((Asked(gate=gate()),), lease(), "Waiting", id="a process waits at a gate"),
        pytest.param(
            (Asked(gate=gate()), Decided(at=NOW, gate="start", verdict=Verdict.APPROVED)),
            lease(),
            "Running",
            id="the gate is decided",
        ),
        pytest.param(
            (Asked(gate=gate()),),
            lease(process="", renewed_at=None),
            "Parked",
            id="no process, on purpose",
        ),
        pytest.param((), None, "Lapsed", id="there is no Lease"),
        pytest.param((), lease(run=""), "Lapsed", id="nobody has the Lease"),
        pytest.param((), lease(run="run-2"), "Lapsed", id="another run has the Lease"),
        pytest.param((), lease(renewed_at=after(-31)), "Lapsed", id="the process died"),
        pytest.param(
            (Asked(gate=gate()),), lease(renewed_at=after(-31)), "Lapsed", id="it died at a gate"
        ),
        pytest.param((DONE,), None, "Finished", id="it is over"),
        pytest.param((DONE,), lease(), "Finished", id="it is over, the Lease not yet given back"),
    ],
)
def test_a_run_is_in_one_state(
    entries: tuple[Entry, ...], held: Holding | None, expected: str
) -> None:
    assert run_status(journal(*entries), held, now=NOW).state == expected


def test_a_lease_has_lapsed_only_after_its_full_duration() -> None:
    assert not has_lapsed(lease(), now=after(30))
    assert has_lapsed(lease(), now=after(30.001))
    assert has_lapsed(lease(renewed_at=None), now=NOW)


def test_the_status_of_a_run_that_has_just_begun_has_no_text() -> None:
    told = run_status(journal(), lease(), now=NOW)
    assert (told.text, told.outcome, told.gate, told.flow_runs) == ("", None, None, ())


def test_the_status_tells_the_last_milestone() -> None:
    told = run_status(journal(step("one"), step("two"), Planned(at=NOW, digest="")), None, now=NOW)
    assert told.text == "two"


def test_the_status_of_a_finished_run_tells_its_end_and_no_gate() -> None:
    told = run_status(journal(step(), Asked(gate=gate()), DONE), None, now=NOW)
    assert (told.outcome, told.text, told.gate) == (Outcome.DONE, "all is on 1-29-1", None)


def test_the_status_says_how_many_people_a_gate_needs() -> None:
    asked = gate("default", Policy(quorum=3))
    told = run_status(journal(Asked(gate=asked)), lease(), now=NOW)
    assert told.gate is not None
    assert (told.gate.name, told.gate.quorum) == ("default", 3)


def test_a_runs_row_shows_its_outcome_once_it_has_one() -> None:
    waiting = run_status(journal(step(), Asked(gate=gate())), lease(), now=NOW)
    over = run_status(journal(DONE), None, now=NOW)
    assert status_row(waiting) == {
        "run": RUN,
        "to": "1.29.1",
        "state": "Waiting",
        "waits at": "start",
        "asked for by": REQUESTER,
        "last": "installed",
    }
    assert (status_row(over)["state"], status_row(over)["waits at"]) == ("Done", "")


def test_a_namespace_has_moved_when_its_wave_is_verified_or_it_is_settled() -> None:
    record = journal(
        step("shop moves", wave=1, namespace="shop"),
        step("wave 1 moves", wave=1),
        step("bank moves", wave=2, namespace="bank"),
        step("somewhere", namespace="desk"),
        Moved(at=NOW, wave=1),
        Settled(at=NOW, namespace="past"),
        Settled(at=NOW, namespace="shop"),
    )
    assert moved_namespaces(record) == ("shop", "past")
    assert run_status(record, None, now=NOW).namespaces_moved == ("shop", "past")


# ---------------------------------------------------------------- audit


def test_an_audit_counts_the_proxies_of_each_namespace() -> None:
    mesh = inventory(
        namespaces=(
            namespace("shop"),
            namespace("bank", labels=REV_OLD),
            namespace("desk", labels={}),
            namespace("past", labels={}),
        ),
        pods=(
            pod("cart-1"),
            pod("cart-2", revision=NEW),
            pod("cart-3", revision=NEW),
            pod("stray-1", "past"),
            pod("plain-1", "desk", revision=None),
        ),
    )
    found = audit_report(mesh, ())
    assert found.namespaces == (
        {"namespace": "shop", "injects": OLD, "proxies": f"{OLD}: 1, {NEW}: 2"},
        {"namespace": "bank", "injects": OLD, "proxies": "none"},
        {"namespace": "past", "injects": "nobody", "proxies": f"{OLD}: 1"},
    )
    assert found.proxies_by_revision == {OLD: 2, NEW: 2}


def test_an_audit_names_what_was_not_read() -> None:
    mute, new = istiod(OLD), istiod(NEW)
    found = audit_report(
        inventory(
            control_planes=(plane(OLD, version=None, ready_replicas=0), plane(NEW)),
            unread=(unread("Gateways", "forbidden"),),
        ),
        [report(mute, proxies=None), silent(new, "refused")],
    )
    assert found.control_planes[0] == {"revision": OLD, "version": "unknown", "ready": "0/1"}
    assert found.unread == (
        "Gateways: forbidden",
        f"proxies of {mute.name} were not read: no answer",
        f"proxies of {new.name} were not read: refused",
    )


def test_an_istiod_with_no_proxies_is_not_one_that_was_not_read() -> None:
    old, new = istiod(OLD), istiod(NEW)
    found = audit_report(inventory(), [silent(old), report(new)])
    assert found.connected_by_istiod == {old.name: None, new.name: 0}
    assert audit_lines(found) == [
        f"tag default points to {OLD}",
        f"{old.name}: not read",
        f"{new.name}: 0 proxies",
        f"NOT READ: proxies of {old.name} were not read: no answer in 5 s",
    ]


def test_an_audit_counts_who_is_connected_to_each_istiod() -> None:
    cart, till = pod("cart-1"), pod("till-1", "bank")
    found = audit_report(inventory(), [report(istiod(OLD), cart, till)])
    assert found.connected_by_istiod == {istiod(OLD).name: 2}
    assert found.unread == ()
