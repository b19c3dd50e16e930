"""What is asked at each kind of gate: the question, what it is about, and what follows from an answer."""

from collections.abc import Sequence

import msgspec

from deployments.gatekeeper.messages import words
from deployments.gatekeeper.messages.blocks import LONGEST_SECTION, code, escape, lines_within
from deployments.gatekeeper.messages.findings import summary
from deployments.gatekeeper.messages.words import number
from deployments.gatekeeper.view import RunView
from tasks.domain.journal import LeftBehind, Moved, RunRecord, WaveFailed
from tasks.domain.plan import NamespaceMove, Plan, Wave
from tasks.domain.policy import GateName

_MOST_NAMESPACES = 20
_MOST_WAVES = 12


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What people have to know about one gate. All but the title is markup."""

    title: str
    what: str  # is asked for, in one sentence
    details: str = ""  # by name, as far as they fit
    approve: str  # what follows
    reject: str


def title(gate: str) -> str:
    """Return the question in a few words."""
    kind, _, wave = gate.partition("-")
    titles = {
        GateName.START: "May the upgrade begin?",
        GateName.WAVE: f"May wave {wave} begin?",
        GateName.DEFAULT: "May the default revision move?",
        GateName.UNINSTALL: "May the old revision be uninstalled?",
    }
    return titles.get(GateName(kind), gate) if kind in set(GateName) else f"Gate {gate}"


def question(gate: str, plan: Plan, view: RunView) -> Question:
    """Return what a gate asks about a plan."""
    kind, _, wave = gate.partition("-")
    if kind == GateName.START:
        return _start(plan, view)
    if kind == GateName.WAVE:
        return _wave(gate, wave, plan, view)
    if kind == GateName.DEFAULT:
        return _default(plan, view)
    if kind == GateName.UNINSTALL:
        return _uninstall(plan, view)
    return Question(
        title=title(gate), what="", approve="the run goes on", reject=_stays_moved(plan, view)
    )


def _start(plan: Plan, view: RunView) -> Question:
    moves = [move for wave in plan.waves for move in wave.namespaces]
    waves = [f"• wave {wave.number}: {_wave_in_short(wave)}" for wave in plan.waves]
    new, old = code(plan.new_revision), code(plan.old_revision)
    ending = f"uninstall {old}" if plan.removes_old else f"keep {old}"
    verb = "adopt" if plan.install.is_adopted else "install"
    return Question(
        title=title(GateName.START),
        what=f"{verb.capitalize()} {new}, move {_amount(moves)} to it in "
        f"{number(len(plan.waves), 'wave')}, {_tags(plan)}, and in the end {ending}.",
        details=lines_within(
            waves, LONGEST_SECTION, most=_MOST_WAVES, rest=words.where_the_rest_is(view, "plan")
        ),
        approve=f"{new} is {verb}ed beside {old}, and wave 1 moves",
        reject="the run ends, and nothing is changed",
    )


def _wave_in_short(wave: Wave) -> str:
    names = [code(one.name) for one in wave.namespaces]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004
    return f"{', '.join(names[:3])}{more} ({_amount(wave.namespaces)})"


def _wave(gate: str, text: str, plan: Plan, view: RunView) -> Question:
    wave = next((one for one in plan.waves if str(one.number) == text), None)
    moves = wave.namespaces if wave is not None else ()
    new = code(plan.new_revision)
    return Question(
        title=title(gate),
        what=f"Move {_amount(moves)} to {new}: their pods restart.",
        details=lines_within(
            [_namespace(one) for one in moves],
            LONGEST_SECTION,
            most=_MOST_NAMESPACES,
            rest=words.where_the_rest_is(view, "plan"),
        ),
        approve="the wave moves; if it fails its checks, it goes back by itself",
        reject=_stays_moved(plan, view),
    )


def _namespace(move: NamespaceMove) -> str:
    if not move.workloads:
        return f"• {code(move.name)}: nothing to restart"
    pods = sum(one.pods for one in move.workloads)
    return f"• {code(move.name)}: {number(len(move.workloads), 'workload')}, {number(pods, 'pod')}"


def _default(plan: Plan, view: RunView) -> Question:
    new, old = code(plan.new_revision), code(plan.old_revision)
    tags = [f"• tag {code(one)}: from {old} to {new}" for one in plan.tags]
    return Question(
        title=title(GateName.DEFAULT),
        what=f"{_tags(plan).capitalize()}. Nothing restarts. New pods that follow them get {new}, "
        "and namespaces get the labels back that they had, where these now mean the same.",
        details=lines_within(tags, LONGEST_SECTION, most=_MOST_NAMESPACES),
        approve=f"they point to {new}",
        reject=_stays_moved(plan, view),
    )


def _tags(plan: Plan) -> str:
    if not plan.tags:
        return "move no tag"
    shown = ", ".join(code(one) for one in plan.tags[:5])
    more = f" and {len(plan.tags) - 5} more" if len(plan.tags) > 5 else ""  # noqa: PLR2004
    return f"point {'tag' if len(plan.tags) == 1 else 'tags'} {shown}{more} to {code(plan.new_revision)}"


def _uninstall(plan: Plan, view: RunView) -> Question:
    old, new = code(plan.old_revision), code(plan.new_revision)
    return Question(
        title=title(GateName.UNINSTALL),
        what=f"Uninstall revision {old} (Istio {escape(plan.old_version)}): its istiod and its "
        "webhooks go, and what they were installed with. Nothing uses it any more.",
        approve=f"{old} is uninstalled, and *there is no way back after that*",
        reject=f"the run ends, and {old} stays beside {new}; {_way_back(view)}",
    )


def _stays_moved(plan: Plan, view: RunView) -> str:
    return f"the run ends, and what has moved stays on {code(plan.new_revision)}; {_way_back(view)}"


def _way_back(view: RunView) -> str:
    return f"{words.command(view, 'rollback')} takes everything back"


def _amount(moves: Sequence[NamespaceMove]) -> str:
    workloads = [one for move in moves for one in move.workloads]
    pods = sum(one.pods for one in workloads)
    return (
        f"{number(len(moves), 'namespace')}, {number(len(workloads), 'workload')} "
        f"and {number(pods, 'pod')}"
    )


def checks(gate: str, plan: Plan, record: RunRecord) -> str:
    """Say what the checks have said before this gate was asked."""
    before = _before(gate, record)
    told = [f"the preflight found {summary(plan)}"]
    moved = sorted(before.moved_waves)
    if moved:
        told.append(f"verified since: {_waves(moved)}")
    if failed := {one.wave for one in before.of(WaveFailed)}:
        told.append(f"failed in between: {_waves(sorted(failed))}")
    if left := {one.workload for one in before.of(LeftBehind)}:
        told.append(f"{number(len(left), 'workload')} left behind")
    return "; ".join(told)


def _before(gate: str, record: RunRecord) -> RunRecord:
    """Return the record up to the question, so that what it said stays."""
    asked = record.gate(gate)
    kept = [
        one
        for one in record.entries
        if not isinstance(one, Moved | WaveFailed | LeftBehind)
        or (asked is not None and one.at <= asked.asked_at)
    ]
    return RunRecord(run=record.run, entries=tuple(kept))


def _waves(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"wave {numbers[0]}"
    if list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"waves {numbers[0]} to {numbers[-1]}"
    return f"waves {', '.join(map(str, numbers))}"
