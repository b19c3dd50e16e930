"""What opens over Slack when somebody wants details, or has to give a reason."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final

import msgspec

from deployments.gatekeeper.messages import blocks, words
from deployments.gatekeeper.messages.blocks import Json, code, escape
from deployments.gatekeeper.messages.findings import finding_text, in_order, summary
from deployments.gatekeeper.messages.words import number
from deployments.gatekeeper.subject import LONGEST_REASON, REASON, REASON_MODAL, Subject
from deployments.gatekeeper.view import RunView
from tasks.domain.approval import Gate
from tasks.domain.errors import BadInputError
from tasks.domain.plan import NamespaceMove, Plan

_MOST_WORKLOADS: Final = 30  # of one namespace
_MOST_LISTED: Final = 20  # overlays, settings, what is left to people, findings
_LONGEST_PLAN: Final = 60_000  # characters of JSON; what Slack takes altogether is not documented

_Channel = Annotated[str, msgspec.Meta(pattern=r"\A[CGD][A-Z0-9]{2,20}\Z")]
_Ts = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{10}\.[0-9]{6}\Z")]


class _Private(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a modal carries through Slack and back."""

    subject: Subject
    channel: _Channel
    thread: _Ts


def reject_modal(subject: Subject, channel: str, thread: str) -> Json:
    """Build the question for a reason: without one nobody can reject."""
    private = _Private(subject=subject, channel=channel, thread=thread)
    text = (
        f"Reject gate {code(subject.gate)} of run {code(subject.run)} on {escape(subject.cluster)}, "
        f"plan `{words.short(subject.digest)}`. One reject is enough: the run ends."
    )
    return {
        "type": "modal",
        "callback_id": REASON_MODAL,
        "private_metadata": msgspec.json.encode(private).decode(),
        "title": _title("Reject this gate"),
        "submit": _title("Reject"),
        "close": _title("Not now"),
        "blocks": [
            blocks.section(text),
            {
                "type": "input",
                "block_id": REASON,
                "label": _title("Reason"),
                "element": {
                    "type": "plain_text_input",
                    "action_id": REASON,
                    "multiline": True,
                    "min_length": 1,
                    "max_length": LONGEST_REASON,
                },
                "optional": False,
            },
        ],
    }


def parse_private(text: str) -> tuple[Subject, str, str]:
    """Read back what a modal carries: subject, channel, thread. Raises BadInputError for anything else."""
    try:
        private = msgspec.json.decode(text, type=_Private)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInputError("this form is not one of istio-canary's") from error
    return private.subject, private.channel, private.thread


def _title(text: str) -> Json:
    """Build a modal's title or button; they are ours, and no longer than the 24 characters that fit."""
    return {"type": "plain_text", "text": text, "emoji": False}


def details_modal(view: RunView, gate: Gate) -> Json:
    """Build the plan as people may want to read it before they answer, as far as it fits."""
    plan = view.plan_of(gate)
    if plan is None:
        shown = [blocks.section("The plan of this gate could not be read just now.")]
    else:
        shown = _fitting(_details(plan, gate), view)
    return {
        "type": "modal",
        "title": _title("Plan"),
        "close": _title("Close"),
        "blocks": shown,
    }


def _fitting(parts: Iterator[Json], view: RunView) -> list[Json]:
    """Return as many blocks as a modal takes, and where the rest is."""
    shown: list[Json] = []
    room = _LONGEST_PLAN
    for part in islice(parts, blocks.MOST_MODAL_BLOCKS):
        room -= len(msgspec.json.encode(part))
        if room < 0 or len(shown) == blocks.MOST_MODAL_BLOCKS - 1:
            rest = words.where_the_rest_is(view, "plan")
            return [*shown, blocks.context(f"and more{rest}")]
        shown.append(part)
    return shown


def _details(plan: Plan, gate: Gate) -> Iterator[Json]:
    yield blocks.section(
        f"Gate {code(gate.name)}, plan `{words.short(gate.digest)}`: Istio "
        f"{escape(plan.old_version)} (revision {code(plan.old_revision)}) to "
        f"{escape(plan.new_version)} (revision {code(plan.new_revision)})"
    )
    yield blocks.section(_install(plan))
    if plan.left_to_people:
        lines = [
            f"• {code(one.subject)}: {escape(one.why)}; {escape(one.todo)}"
            for one in plan.left_to_people
        ]
        yield blocks.section(_listed("Left to people", lines))
    yield blocks.section(f"*Findings*: {summary(plan)}")
    for finding in in_order(plan)[:_MOST_LISTED]:
        yield blocks.section(finding_text(finding, plan))
    for wave in plan.waves:
        yield blocks.section(f"*Wave {wave.number}*: {number(len(wave.namespaces), 'namespace')}")
        for move in wave.namespaces:
            yield blocks.section(_namespace(move))
    if plan.settle_only:
        names = [code(one.name) for one in plan.settle_only]
        yield blocks.section(_listed("Moved by an earlier run", names))


def _install(plan: Plan) -> str:
    install, request = plan.install, plan.install.request
    lines = [
        f"• revision {code(request.revision)} in {code(request.namespace)}"
        + (", adopted from an earlier run" if install.is_adopted else ""),
        f"• by istioctl {escape(install.istioctl)}",
        f"• manifest SHA-256 `{words.short(install.manifest_sha256)}`",
    ]
    if request.overlays:
        lines.append(f"• overlays: {_names([one.name for one in request.overlays])}")
    if request.sets:
        # Their values may hold secrets, and everybody in the channel can open this.
        paths = [one.partition("=")[0] for one in request.sets]
        lines.append(f"• values set: {_names(paths)}")
    if plan.tags:
        lines.append(f"• tags to move: {_names(plan.tags)}")
    lines.append(f"• gates: {_names(plan.gates) if plan.gates else 'none'}")
    return "\n".join(["*Install*", *lines])


def _names(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(f"`{escape(one, 60) or '?'}`" for one in names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _listed(title: str, lines: list[str]) -> str:
    room = blocks.LONGEST_SECTION - len(title) - 10
    return f"*{title}*\n{blocks.lines_within(lines, room, most=_MOST_LISTED)}"


def _namespace(move: NamespaceMove) -> str:
    if not move.workloads:
        return f"{code(move.name)}: nothing to restart"
    lines = [
        f"• {code(f'{one.ref.kind}/{one.ref.name}')}: {one.action}, {number(one.pods, 'pod')}"
        for one in move.workloads
    ]
    room = blocks.LONGEST_SECTION - blocks.length(code(move.name)) - 10
    return f"{code(move.name)}\n{blocks.lines_within(lines, room, most=_MOST_WORKLOADS)}"
