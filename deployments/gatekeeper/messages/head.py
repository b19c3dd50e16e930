"""The first message of a run's thread: where the run is now."""

from datetime import timedelta
from typing import Final

import msgspec

from deployments.gatekeeper.messages import blocks, words
from deployments.gatekeeper.messages.blocks import code, escape
from deployments.gatekeeper.view import RunView
from tasks.domain.journal import Installed, WaveFailed
from tasks.domain.plan import Plan
from tasks.domain.report import moved_namespaces, run_status
from tasks.domain.runs import is_rolled_back
from tasks.domain.slack import Message

_UNKNOWN: Final = "Unknown"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is, as of the last verified wave."""

    waves: int
    moved_waves: int
    pods: int
    moved_pods: int


def progress(view: RunView, plan: Plan) -> Progress:
    """Count what the plan names and what the journal says has moved."""
    is_back = is_rolled_back(view.record)
    moved = frozenset[int]() if is_back else view.record.moved_waves
    pods = {
        wave.number: sum(one.pods for move in wave.namespaces for one in move.workloads)
        for wave in plan.waves
    }
    return Progress(
        waves=len(pods),
        moved_waves=len(moved & pods.keys()),
        pods=sum(pods.values()),
        moved_pods=sum(count for number, count in pods.items() if number in moved),
    )


def head(view: RunView) -> Message:
    """Return the message that is updated as long as the run goes on."""
    state = state_of(view)
    shown = [
        blocks.header(_title(view)),
        blocks.fields(_facts(view, state)),
        *([blocks.section(text)] if (text := _what_happens(view)) else []),
        *([blocks.context(text)] if (text := _small_print(view)) else []),
    ]
    text = f"{escape(_title(view))} on {escape(view.cluster)}: {_state_in_words(view, state)}"
    return blocks.message(text, shown)


def state_of(view: RunView) -> str:
    """Return the run's state as `status` names it, as far as it can be known now."""
    state = run_status(view.record, view.holding, now=view.now).state
    # What was last read of a Lease does not tell whether somebody has renewed it since.
    return _UNKNOWN if state == "Lapsed" and not view.is_fresh else state


def _title(view: RunView) -> str:
    started = view.record.started
    if view.plan is not None:
        return f"Istio {view.plan.old_version} → {view.plan.new_version}"
    return f"Istio {started.old or '?'} → {started.target}"


def _state_in_words(view: RunView, state: str) -> str:
    finished, gate = view.record.finished, view.open_gate
    if finished is not None:
        return f"{state}, {finished.outcome}"
    if gate is not None and state != _UNKNOWN:
        return f"{state} at gate {escape(gate.name)}"
    if view.record.attempt_is_rollback:
        return f"{state}, rolling back"
    return f"{state}{_current_wave(view)}"


def _current_wave(view: RunView) -> str:
    has_begun = any(one.done for one in view.record.of(Installed))
    if view.plan is None or not view.plan.waves or not has_begun:
        return ""
    seen = progress(view, view.plan)
    if seen.moved_waves == seen.waves:
        return f", all {seen.waves} waves moved" if seen.waves > 1 else ", its wave has moved"
    return f", wave {seen.moved_waves + 1} of {seen.waves}"


def _facts(view: RunView, state: str) -> list[tuple[str, str]]:
    started = view.record.started
    return [
        ("Cluster", escape(view.cluster) or "?"),
        ("Run", code(view.record.run)),
        ("State", _state_in_words(view, state)),
        ("Asked for by", words.mention(started.requester, view.policy)),
        *_moved(view),
        ("Begun", words.moment(started.at)),
        *_time(view, state),
    ]


def _moved(view: RunView) -> list[tuple[str, str]]:
    if view.plan is None:
        return [("Moved", "the plan could not be read")]
    seen, plan = progress(view, view.plan), view.plan
    old, new = code(plan.old_revision), code(plan.new_revision)
    if view.record.attempt_is_rollback and not is_rolled_back(view.record):
        return [("Moved", f"everything is to go back to {old}")]
    moved = () if is_rolled_back(view.record) else moved_namespaces(view.record)
    pods = (
        f"{seen.moved_pods:,} of {seen.pods:,} on {new}, {seen.pods - seen.moved_pods:,} on {old}"
    )
    return [
        ("Waves moved", f"{seen.moved_waves} of {seen.waves}"),
        ("Namespaces moved", f"{len(moved)} of {len(plan.namespaces)}"),
        ("Pods, as of the last verified wave", pods),
    ]


def _time(view: RunView, state: str) -> list[tuple[str, str]]:
    """Return how long it takes: in minutes while work goes on, and nothing that ticks otherwise."""
    started, finished, gate = view.record.started, view.record.finished, view.open_gate
    if finished is not None:
        return [("Took", words.minutes(finished.at - started.at))]
    if gate is not None:
        return [("Waits since", words.moment(gate.asked_at))]
    if state == "Running":
        return [("Elapsed", words.minutes(max(view.now - started.at, timedelta())))]
    return []


def _what_happens(view: RunView) -> str:
    """Return what failed if something did, else the last milestone."""
    finished, failed = view.record.finished, view.record.last(WaveFailed)
    if finished is not None:
        return f"*{finished.outcome}*: {escape(finished.text, 2000)}"
    if failed is not None and failed.wave not in view.record.moved_waves:
        return f"*Wave {failed.wave} failed*: {escape(failed.why, 2000)}"
    last = run_status(view.record, view.holding, now=view.now).text
    return f"Last: {escape(last, 500)}" if last else ""


def _small_print(view: RunView) -> str:
    links = (
        words.flow_run_link(view, "Flow run on the dashboard"),
        words.flow_run_link(view, "its artifacts", tab="Artifacts"),
    )
    remarks = [one for one in links if one is not None]
    if not view.is_fresh:
        remarks.append(
            "the cluster or Prefect could not be read just now: this is what was last seen"
        )
    return " · ".join(remarks)
