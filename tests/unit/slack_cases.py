"""What the tests of Slack's texts share: a run to talk about, and a message as a person sees it."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from deployments.gatekeeper.thread import Links, RunView, wanted
from tasks.domain.approval import Gate, Tally, Verdict, Vote
from tasks.domain.findings import Finding, Severity
from tasks.domain.journal import (
    Asked,
    Attempted,
    Decided,
    Entry,
    Holding,
    Installed,
    Moved,
    Planned,
    RunRecord,
    Started,
)
from tasks.domain.plan import Action, Batch, NamespaceMove, Plan, Wave, WorkloadMove, digest
from tasks.domain.policy import Person, Policy
from tasks.domain.slack import Message
from tests.builders import NEW, OLD, REQUESTER, RUN, after, gate, ref, vote
from tests.unit.plan_cases import plan, space_move

DASHBOARD: Final = "http://prefect.test:4200"
POLICY: Final = Policy(
    approvers=("Bob", "slack-group:T1/S12", "kubernetes:eve"),
    quorum=2,
    requester_may_approve=False,
    people=(
        Person(name="Ann", identities=(REQUESTER, "slack:T1/U1")),
        Person(name="Bob", identities=("kubernetes:bob", "slack:T1/U2")),
    ),
)
PAUSED: Final = Finding(
    code="paused-deployment",
    severity=Severity.WARNS,
    subject="shop/Deployment/cart",
    fact="It is paused, so its pods would not become new ones.",
    todo="Resume it before the upgrade.",
)
UNKNOWN_TAG: Final = Finding(
    code="unknown-revision",
    severity=Severity.BLOCKS,
    subject="namespace/legacy",
    fact="It names revision 1-20, which is not there.",
    todo="Correct its label.",
)
NOTED: Final = Finding(
    code="sidecars", severity=Severity.INFORMS, subject="cluster", fact="There are 20.", todo=""
)

_DATE: Final = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|([^<>]+)>")


# ---- a run


def move(name: str, *workloads: str, pods: int = 2) -> NamespaceMove:
    """Build the move of a namespace whose Deployments restart."""
    restarts = (
        WorkloadMove(ref=ref(one, name), action=Action.RESTART, pods=pods) for one in workloads
    )
    return space_move(name, *restarts)


def wave(number: int, *moves: NamespaceMove) -> Wave:
    """Build a wave with one batch."""
    return Wave(number=number, batches=(Batch(number=1, wave=number, namespaces=moves),))


def shop_plan(**changes: object) -> Plan:
    """Build a plan of two waves: `shop`, then `pay` and `web`."""
    made = plan(
        waves=(
            wave(1, move("shop", "cart", "till")),
            wave(2, move("pay", "card", pods=3), move("web")),
        ),
        tags=("default", "prod"),
        findings=(PAUSED, UNKNOWN_TAG, NOTED),
        overrides=(UNKNOWN_TAG.name,),
        gates=("start", "wave-2", "default", "uninstall"),
    )
    return msgspec.structs.replace(made, **changes)


PLAN: Final = shop_plan()
STARTED: Final = Started(
    at=after(-300), parameters="p", target="1.29.1", revision=NEW, old=OLD, requester=REQUESTER
)
BEGUN: Final[tuple[Entry, ...]] = (
    STARTED,
    Attempted(at=after(-300), flow_run="f-1", flow="upgrade"),
    Planned(at=after(-240), digest=digest(PLAN)),
)


def ask(name: str = "start", policy: Policy = POLICY, **changes: object) -> Gate:
    """Build a gate about the plan of these tests."""
    return gate(name, policy, **{"digest": digest(PLAN), **changes})


def yes(person: str = "slack:T1/U2", via: str = "slack", **changes: object) -> Vote:
    """Build an approval about the plan of these tests."""
    made = msgspec.structs.replace(vote(person), via=via, digest=digest(PLAN))
    return msgspec.structs.replace(made, **changes)


def decided(name: str = "start", *votes: Vote, verdict: str = "approved") -> Decided:
    """Build a decision, two minutes after the question."""
    return Decided(at=after(120), gate=name, verdict=verdict, votes=votes)


AT_WAVE_2: Final[tuple[Entry, ...]] = (
    *BEGUN,
    Asked(gate=ask(asked_at=after(-200))),
    decided("start", yes(), yes("kubernetes:eve", "terminal")),
    Installed(at=after(-100), revision=NEW, done=False),
    Installed(at=after(-60), revision=NEW, done=True),
    Moved(at=after(-30), wave=1),
    Asked(gate=ask("wave-2")),
)


def lease(process: str = "host/1/me", **changes: object) -> Holding:
    """Build the Lease of the run, renewed at NOW."""
    made = Holding(
        run=RUN, process=process, renewed_at=after(60), duration_seconds=3600, version="1"
    )
    return msgspec.structs.replace(made, **changes)


def view(*entries: Entry, **changes: object) -> RunView:
    """Build what is known of a run, a minute after NOW; without entries it has just been planned."""
    made = RunView(
        cluster="prod",
        record=RunRecord(run=RUN, entries=entries or BEGUN),
        plan=PLAN,
        holding=lease(),
        tally=None,
        now=after(60),
        links=Links(dashboard=DASHBOARD),
    )
    return msgspec.structs.replace(made, **changes)


def counted(*votes: Vote, verdict: Verdict = Verdict.WAITING, **changes: object) -> Tally:
    """Build what a gate's rows add up to."""
    made = Tally(verdict=verdict, approvals=votes)
    return msgspec.structs.replace(made, **changes)


# ---- as people see it


def said(of: RunView, key: str) -> Message:
    """Return one message of the thread."""
    return {one.key: one.message for one in wanted(of)}[key]


def shown(message: Message) -> str:
    """Return a message as lines: `#` a title, `>` small print, `[]` a button."""
    lines = [line for block in message.blocks for line in _lines(block)]
    return _DATE.sub(r"(\1)", "\n".join(lines)).replace(DASHBOARD, "")


def _lines(block: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    match block:
        case {"type": "header", "text": {"text": text}}:
            yield f"# {text}"
        case {"type": "section", "fields": fields}:
            yield from (one["text"].replace("\n", " ", 1) for one in fields)
        case {"type": "section", "text": {"text": text}}:
            yield from text.splitlines()
        case {"type": "context", "elements": [{"text": text}]}:
            yield f"> {text}"
        case {"type": "actions", "elements": buttons}:
            yield " ".join(f"[{one['text']['text']}]" for one in buttons)
        case _:
            raise AssertionError(block)


def buttons(message: Message) -> dict[str, Any]:
    """Return a message's buttons by what is written on them."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return {one["text"]["text"]: one for row in rows for one in row}
