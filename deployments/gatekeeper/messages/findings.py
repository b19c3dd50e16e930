"""What the preflight checks found, as people read it before they decide."""

from collections import Counter
from typing import Final

from deployments.gatekeeper.messages import blocks, words
from deployments.gatekeeper.messages.blocks import code, escape
from deployments.gatekeeper.view import RunView
from tasks.domain.findings import Finding, Severity
from tasks.domain.plan import Plan
from tasks.domain.slack import Message

_MOST: Final = 12  # shown in one message; all of them are an artifact
_LONGEST: Final = 280  # of a fact, and of what to do
_HEAVIEST_FIRST: Final = (Severity.BLOCKS, Severity.WARNS, Severity.INFORMS)


def findings(view: RunView) -> Message | None:
    """Return what people should look at; None if there is nothing or the plan was not read."""
    if view.plan is None or not (weighty := in_order(view.plan)):
        return None
    shown = [
        blocks.header("What the checks found"),
        blocks.section(f"{summary(view.plan)}."),
        *(blocks.section(finding_text(one, view.plan)) for one in weighty[:_MOST]),
    ]
    if len(weighty) > _MOST:
        rest = f"and {len(weighty) - _MOST} more"
        shown.append(blocks.context(f"{rest}{words.where_the_rest_is(view, 'findings')}"))
    return blocks.message(f"The checks found {summary(view.plan)}", shown)


def in_order(plan: Plan) -> list[Finding]:
    """Return what BLOCKS and what WARNS, the heaviest first."""
    weighty = [one for one in plan.findings if one.severity is not Severity.INFORMS]
    return sorted(weighty, key=lambda one: _HEAVIEST_FIRST.index(one.severity))


def summary(plan: Plan) -> str:
    """Count the findings by their weight."""
    counts = Counter(one.severity for one in plan.findings)
    told = [f"{counts[one]} {one}" for one in _HEAVIEST_FIRST if counts[one]]
    overridden = sum(one.name in plan.overrides for one in plan.findings)
    if overridden:
        told.append(f"{overridden} of them overridden")
    return ", ".join(told) or "nothing"


def finding_text(finding: Finding, plan: Plan) -> str:
    """Return one finding: how much it weighs, its name, the fact and what to do."""
    weight = f"*{finding.severity}*"
    if finding.name in plan.overrides:
        weight += " (overridden)"
    lines = [f"{weight} {code(finding.name)}", escape(finding.fact, _LONGEST)]
    if todo := escape(finding.todo, _LONGEST):
        lines.append(f"To do: {todo}")
    return "\n".join(lines)
