"""
What an operator sees on Prefect's dashboard beside the graph: artifacts of the current flow run.

The texts themselves are the core's (`tasks.domain.report`).
"""

from collections.abc import Sequence
from typing import Any

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
)

from tasks import wiring
from tasks.domain import report
from tasks.domain.approval import Tally
from tasks.domain.documents import AuditReport, Row
from tasks.domain.journal import Decided
from tasks.domain.plan import Plan, Wave, digest
from tasks.domain.verification import Verification, count_by_revision
from tasks.journaling import log, record


def show_plan(plan: Plan) -> None:
    """Publish the findings and the plan, before anything is changed."""
    _table("findings", report.findings_table(plan.findings), "Findings of the preflight checks")
    _table("plan", report.plan_table(plan), f"Plan {digest(plan)}: what moves, in order")


def show_proxies(wave: Wave, seen: Verification) -> None:
    """Publish where the wave's proxies are, by revision."""
    names = {move.name for move in wave.namespaces}
    with wiring.services().cluster.watching(names) as state:
        counts = count_by_revision(state.pods)
    _table(
        f"proxies-by-revision-wave-{wave.number}",
        report.proxies_table(seen, counts),
        f"Proxies by revision after wave {wave.number}",
    )


def show_progress(plan: Plan) -> None:
    """Publish how much of the plan's waves is done."""
    percent = report.progress_percent(record(), plan)
    create_progress_artifact(progress=percent, key="progress", description="Waves moved")


def show_refused(gate: str, counted: Tally) -> None:
    """Tell which rows did not count as votes, and why."""
    for one in counted.refused:
        log(f"gate {gate}: the row {one.key} does not count: it {one.why}")


def show_decisions() -> None:
    """Publish who decided what."""
    rows = report.decisions_table(record().of(Decided))
    _table("decisions", rows, "Decisions of people at gates")


def show_end() -> None:
    """Publish the final report."""
    text = report.story(record())
    create_markdown_artifact(markdown=text, key="report", description="Final report")


def show_audit(found: AuditReport) -> None:
    """Publish who is where."""
    _table("control-planes", found.control_planes, "Control planes")
    _table("proxies-by-revision", found.namespaces, "Namespaces, and their proxies by revision")
    if found.unread:
        rows = [{"not read": one} for one in found.unread]
        _table("unread", rows, "What could not be read, so that it may be anything")


def _table(key: str, rows: Sequence[Row], description: str) -> None:
    table: list[dict[str, Any]] = [dict(row) for row in rows]
    create_table_artifact(table=table, key=key, description=description)
