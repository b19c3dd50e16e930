"""What people and programs are told: tables, sentences and the documents of `-o json`. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tasks.domain.approval import is_held
from tasks.domain.documents import (
    AuditReport,
    Examined,
    GateStatus,
    PlanReport,
    Row,
    RunReport,
    RunStatus,
)
from tasks.domain.findings import Finding, blocking
from tasks.domain.inventory import Inventory, IstiodReport
from tasks.domain.journal import (
    Controlled,
    Decided,
    Holding,
    Moved,
    Outcome,
    RunRecord,
    Settled,
    Step,
)
from tasks.domain.plan import NamespaceMove, Plan, digest, labels_text
from tasks.domain.verification import Verification, count_by_revision

# How much of a digest people compare by eye.
_SHORT: Final = 12


# ---- tables


def findings_table(findings: Sequence[Finding]) -> list[Row]:
    """Return the findings as rows, the heaviest first."""
    return [
        {
            "severity": str(one.severity),
            "finding": one.name,
            "what": one.fact,
            "what to do": one.todo,
        }
        for one in findings
    ]


def plan_table(plan: Plan) -> list[Row]:
    """Return the plan as rows, one a namespace, in the order in which they move."""
    rows = [
        _plan_row(f"{wave.number}", f"{batch.number}", move)
        for wave in plan.waves
        for batch in wave.batches
        for move in batch.namespaces
    ]
    return rows + [_plan_row("moved before", "", move) for move in plan.settle_only]


def _plan_row(wave: str, batch: str, move: NamespaceMove) -> Row:
    return {
        "wave": wave,
        "batch": batch,
        "namespace": move.name,
        "says now": labels_text(move.before),
        "will say": labels_text(move.after),
        "workloads": ", ".join(
            f"{one.ref.kind}/{one.ref.name}: {one.action} ({one.pods})" for one in move.workloads
        )
        or "none to restart",
    }


def proxies_table(seen: Verification, counts: Mapping[str, int]) -> list[Row]:
    """Return where proxies are, and which have not arrived."""
    rows = [
        {"revision": name, "proxies": str(number), "problem": ""} for name, number in counts.items()
    ]
    return rows + [
        {"revision": "", "proxies": one.pod, "problem": one.why} for one in seen.problems
    ]


def decisions_table(decisions: Sequence[Decided]) -> list[Row]:
    """Return who decided what, when and why."""
    rows: list[Row] = []
    for one in decisions:
        rows += [
            {
                "gate": one.gate,
                "verdict": one.verdict,
                "by": vote.person,
                "via": vote.via,
                "at": f"{vote.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
                "reason": vote.reason,
            }
            for vote in one.votes
        ]
        if not one.votes:
            rows.append({"gate": one.gate, "verdict": one.verdict, "by": "nobody"})
    return rows


# ---- sentences


def plan_lines(plan: Plan) -> list[str]:
    """Return the plan for a terminal: what will be done, in order."""
    pods = sum(one.pods for one in plan.workloads)
    lines = [
        (
            f"Istio {plan.old_version} (revision {plan.old_revision}) to "
            f"{plan.new_version} (revision {plan.new_revision})"
        ),
        (
            f"plan {digest(plan)[:_SHORT]}: {len(plan.namespaces)} namespaces, "
            f"{len(plan.workloads)} workloads, {pods} pods"
        ),
    ]
    for wave in plan.waves:
        lines.append(f"wave {wave.number}:")
        lines += [
            f"  {move.name}: {labels_text(move.before)}; {_moves(move)}" for move in wave.namespaces
        ]
    if plan.settle_only:
        names = ", ".join(move.name for move in plan.settle_only)
        lines.append(f"moved by an earlier run: {names}")
    if plan.tags:
        lines.append(f"tags to move: {', '.join(plan.tags)}")
    lines.append(_ending(plan))
    lines += [
        f"left to people: {one.subject}: {one.why}; {one.todo}" for one in plan.left_to_people
    ]
    lines.append(f"gates: {', '.join(plan.gates) or 'none'}")
    return lines


def _moves(move: NamespaceMove) -> str:
    named = ", ".join(f"{one.ref.kind}/{one.ref.name}" for one in move.workloads)
    return f"restarts {named}" if named else "nothing to restart"


def _ending(plan: Plan) -> str:
    if plan.removes_old:
        return f"at the end: uninstall {plan.old_revision}, when nothing uses it"
    return f"at the end: revision {plan.old_revision} is kept"


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings for a terminal."""
    return [f"{one.severity:<7} {one.name}: {one.fact} {one.todo}" for one in findings]


def plan_report(plan: Plan) -> PlanReport:
    """Return the document of `plan`: blocked if a finding stops the run."""
    stops = blocking(plan.findings, overridden=plan.overrides)
    outcome = Outcome.BLOCKED if stops else Outcome.DONE
    text = f"blocked by {len(stops)} of the findings" if stops else "this is what would be done"
    return PlanReport(
        outcome=outcome,
        exit_code=outcome.exit_code,
        text=text,
        digest=digest(plan),
        blocked_by=tuple(one.name for one in stops),
        plan=plan,
    )


def run_report(record: RunRecord) -> RunReport | None:
    """Return how a run ended; None while it has not."""
    finished = record.finished
    if finished is None:
        return None
    return RunReport(
        run=record.run,
        outcome=finished.outcome,
        exit_code=finished.outcome.exit_code,
        text=finished.text,
        todo=finished.todo,
        flow_runs=record.flow_runs,
    )


def next_steps(record: RunRecord) -> tuple[str, ...]:
    """Return what people can do about a run that stopped in between, whatever stopped it."""
    look = "look at what is said above, and at `istio-canary audit` for who is where"
    if record.attempt_is_rollback:
        return (look, f"then `istio-canary rollback {record.run}` goes on from there")
    again = "then the same upgrade command goes on from there"
    if record.is_past_return:
        return (look, f"{again}; there is no way back any more")
    return (look, again, f"or take everything back: `istio-canary rollback {record.run}`")


def state_report(name: str, message: str) -> RunReport:
    """
    Return what a flow run's last state says of a run that never got a journal.

    The name is the outcome; the message is the text, and lines that begin with `- ` what to do.
    """
    outcome = Outcome(name) if name in set(Outcome) else Outcome.CRASHED
    lines = message.splitlines() or [f"the flow run ended as {name}"]
    todo = tuple(one.removeprefix("- ") for one in lines if one.startswith("- "))
    text = "\n".join(one for one in lines if not one.startswith("- "))
    return RunReport(outcome=outcome, exit_code=outcome.exit_code, text=text, todo=todo)


def with_run(told: RunReport, *, run: str | None, flow_runs: tuple[str, ...]) -> RunReport:
    """Return a report that says which run it is about."""
    return msgspec.structs.replace(told, run=run, flow_runs=flow_runs)


def story(record: RunRecord) -> str:
    """Return the run's final report as Markdown: what was asked, what happened, how it ended."""
    started, finished = record.started, record.finished
    lines = [
        f"# Istio {started.target} as revision `{started.revision}`",
        "",
        (
            f"Run `{record.run}`, asked for by {_plain(started.requester)}, "
            f"begun {started.at:%Y-%m-%d %H:%M:%S} UTC."
        ),
        "",
    ]
    if finished is not None:
        took = (finished.at - started.at).total_seconds()
        lines += [f"**{finished.outcome}** after {took:.0f} s: {_plain(finished.text)}", ""]
        lines += [f"- {_plain(one)}" for one in finished.todo]
    lines += ["", "## What happened", ""]
    lines += [f"- {one.at:%H:%M:%S} {_plain(one.text)}" for one in record.of(Step)]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Take Markdown's meaning from what a cluster's objects are called."""
    in_one_line = " ".join(text.split())
    return "".join(f"\\{one}" if one in "\\`*_[]<>#|" else one for one in in_one_line)


# ---- status


def run_status(record: RunRecord, holding: Holding | None, *, now: datetime) -> RunStatus:
    """Return one run as `status` shows it."""
    started, finished, gate = record.started, record.finished, record.open_gate
    last = record.last(Step)
    return RunStatus(
        run=record.run,
        state=_state(record, holding, now=now),
        target=started.target,
        revision=started.revision,
        old=started.old,
        requester=started.requester,
        outcome=finished.outcome if finished else None,
        text=finished.text if finished else (last.text if last else ""),
        gate=GateStatus(
            name=gate.name,
            digest=gate.digest,
            expires_at=gate.expires_at.isoformat(),
            quorum=gate.policy.quorum,
        )
        if gate is not None and finished is None
        else None,
        flow_runs=record.flow_runs,
        namespaces_moved=moved_namespaces(record),
    )


def _state(record: RunRecord, holding: Holding | None, *, now: datetime) -> str:
    if record.finished is not None:
        return "Finished"
    if holding is None or holding.run != record.run:
        return "Lapsed"
    if holding.process and has_lapsed(holding, now=now):
        return "Lapsed"
    if is_held(entry.vote for entry in record.of(Controlled)):
        return "Held"
    if not holding.process:
        return "Parked"
    return "Waiting" if record.open_gate else "Running"


def has_lapsed(holding: Holding, *, now: datetime) -> bool:
    """Whether the Lease seems to have lapsed; for showing only, as it compares two clocks."""
    if holding.renewed_at is None:
        return True
    return now - holding.renewed_at > timedelta(seconds=holding.duration_seconds)


def status_row(one: RunStatus) -> Row:
    """Return a run as a row of a table."""
    return {
        "run": one.run,
        "to": one.target,
        "state": one.state if one.outcome is None else str(one.outcome),
        "waits at": one.gate.name if one.gate else "",
        "asked for by": one.requester,
        "last": one.text,
    }


def moved_namespaces(record: RunRecord) -> tuple[str, ...]:
    """Return the namespaces whose workloads the run has moved, by its milestones."""
    waves = record.moved_waves
    settled = [one.namespace for one in record.of(Settled)]
    in_waves = [one.namespace for one in record.of(Step) if one.namespace and one.wave in waves]
    return tuple(dict.fromkeys([*in_waves, *settled]))


def progress_percent(record: RunRecord, plan: Plan) -> float:
    """Return how much of the plan's waves is done, in percent."""
    if not plan.waves:
        return 100.0
    return 100.0 * len({one.wave for one in record.of(Moved)}) / len(plan.waves)


# ---- audit


def audit_report(inventory: Inventory, reports: Sequence[IstiodReport]) -> AuditReport:
    """Return who is where, and what could not be read."""
    unread = [f"{one.what}: {one.why}" for one in inventory.unread]
    unread += [
        f"proxies of {one.istiod.name} were not read: {one.problem or 'no answer'}"
        for one in reports
        if one.proxies is None
    ]
    return AuditReport(
        control_planes=tuple(
            {
                "revision": one.revision,
                "version": one.version or "unknown",
                "ready": f"{one.ready_replicas}/{one.replicas}",
            }
            for one in inventory.control_planes
        ),
        tags={tag.name: tag.revision for tag in inventory.tags},
        namespaces=tuple(_audited(inventory)),
        proxies_by_revision=count_by_revision(inventory.pods),
        connected_by_istiod={
            one.istiod.name: None if one.proxies is None else len(one.proxies) for one in reports
        },
        unread=tuple(unread),
    )


def _audited(inventory: Inventory) -> list[Row]:
    rows: list[Row] = []
    for namespace in inventory.namespaces:
        pods = [one for one in inventory.pods if one.namespace == namespace.name]
        counts = count_by_revision(pods)
        effective = inventory.effective_revision(namespace)
        if effective is not None or counts:
            rows.append(
                {
                    "namespace": namespace.name,
                    "injects": effective or "nobody",
                    "proxies": ", ".join(f"{name}: {number}" for name, number in counts.items())
                    or "none",
                }
            )
    return rows


def audit_lines(found: AuditReport) -> list[str]:
    """Return the rest of an audit for a terminal: tags, istiods, and what was not read."""
    lines = [f"tag {name} points to {revision}" for name, revision in found.tags.items()]
    for istiod, number in found.connected_by_istiod.items():
        lines.append(f"{istiod}: {'not read' if number is None else f'{number} proxies'}")
    return lines + [f"NOT READ: {one}" for one in found.unread]


def examined_row(one: Examined) -> Row:
    """Return what `doctor` looked at as a row of a table."""
    return {
        "what": one.what,
        "": "ok" if one.is_good else "NOT OK",
        "found": one.text,
        "to do": one.todo,
    }
