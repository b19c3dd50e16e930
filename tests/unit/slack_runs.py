"""Strategies for the tests of Slack's texts: runs in which everybody writes what they should not."""

from typing import Final

import msgspec
from hypothesis import strategies as st

from deployments.gatekeeper.thread import Links, RunView
from tasks.domain.approval import Answer, Refused, Verdict
from tasks.domain.findings import Finding, Severity
from tasks.domain.inventory import Kind, WorkloadRef
from tasks.domain.journal import (
    Asked,
    Attempted,
    Controlled,
    Decided,
    Entry,
    Finished,
    Installed,
    Moved,
    Outcome,
    Repointed,
    RollingBack,
    RunRecord,
    Step,
    Uninstalling,
    WaveFailed,
    WaveRolledBack,
)
from tasks.domain.plan import (
    Action,
    Batch,
    Install,
    LeftToPeople,
    NamespaceMove,
    Plan,
    Wave,
    WorkloadMove,
    digest,
)
from tasks.domain.policy import Person, Policy, SlackApproval
from tasks.domain.rendering import InstallRequest, Overlay
from tests.builders import DIGEST, NOW, after, vote
from tests.unit.slack_cases import STARTED, ask, counted, lease, yes

NASTY: Final = (
    *("<!channel>", "<!here|x>", "<@U999>", "<https://evil.test|Approve>", "@channel", "@here"),
    *("*bold*", "_it_", "~gone~", "`code`", "```", "&lt;", "&", ">", "\n> quote", "\r\n", "\u2028"),
    *("{{ cookies }}", "{% raw %}", ":white_check_mark:", "\u202egnp", "\x00", "😀", "é"),
    *("", " ", "a", "shop", "x" * 400, "<" * 3000, "&" * 3000, "😀" * 2000, "a b " * 1200),
)
texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=40),
    st.lists(st.sampled_from(NASTY), max_size=6).map("".join),
)
names = st.one_of(st.just("shop"), texts)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.sampled_from([0, 1, 2, 30, 500]))
    name, workload = draw(names), draw(names)
    moves = tuple(
        NamespaceMove(
            name=f"{name}{number or ''}",
            before={},
            after={},
            workloads=tuple(
                WorkloadMove(
                    ref=WorkloadRef(
                        namespace=name, kind=Kind.DEPLOYMENT, name=f"{workload}{number}"
                    ),
                    action=Action.RESTART,
                    pods=draw(st.just(3)),
                )
                for number in range(draw(st.sampled_from([0, 1, 40])) if number < 2 else 1)
            ),
        )
        for number in range(count)
    )
    waves = tuple(
        Wave(number=number, batches=(Batch(number=1, wave=number, namespaces=moves[start::3]),))
        for number, start in enumerate(range(draw(st.sampled_from([0, 1, 3]))), 1)
    )
    found = Finding(
        code=draw(names),
        severity=draw(st.sampled_from(Severity)),
        subject=draw(texts),
        fact=draw(texts),
        todo=draw(texts),
    )
    request = InstallRequest(
        revision=draw(names),
        overlays=(Overlay(name=draw(texts), content=""),),
        sets=(f"{draw(texts)}=SECRET",) * draw(st.sampled_from([0, 1, 50])),
    )
    return Plan(
        old_revision=draw(names),
        old_version=draw(names),
        new_revision=draw(names),
        new_version=draw(names),
        install=Install(request=request, istioctl=draw(names), manifest_sha256=draw(names)),
        waves=waves,
        settle_only=moves[:50],
        tags=(draw(texts),) * draw(st.sampled_from([0, 1, 40])),
        left_to_people=(LeftToPeople(subject=draw(texts), why=draw(texts), todo=draw(texts)),)
        * draw(st.sampled_from([0, 1, 40])),
        findings=(found,) * draw(st.sampled_from([0, 1, 50])),
        overrides=(found.name,) * draw(st.integers(0, 1)),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    identities = st.sampled_from(["slack:T1/U1", "kubernetes:bob", "slack:T1/<!here>"]) | texts
    people = (Person(name=draw(names), identities=(f"kubernetes:{draw(texts)}", draw(identities))),)
    approver = st.one_of(identities, st.sampled_from(["slack-group:T1/S1", people[0].name]))
    return Policy(
        approvers=tuple(draw(st.lists(approver, max_size=3))) * draw(st.sampled_from([1, 40])),
        quorum=draw(st.integers(1, 3)),
        requester_may_approve=draw(st.booleans()),
        terminal_votes=draw(st.booleans()),
        people=people,
        slack_approve=draw(st.sampled_from(SlackApproval)),
        remind_after_seconds=draw(st.sampled_from([0.0, 1.0, 60.0])),
    )


@st.composite
def entries(draw: st.DrawFn, plan: Plan) -> tuple[Entry, ...]:
    started = msgspec.structs.replace(
        STARTED, target=draw(names), revision=draw(names), old=draw(names), requester=draw(names)
    )
    gate = st.builds(
        lambda name, policy, asker, of: ask(name, policy, requester=asker, digest=of, run="run-1"),
        st.sampled_from(["start", "wave-2", "default", "uninstall"]) | texts,
        policies(),
        names,
        st.sampled_from([digest(plan), DIGEST]) | texts,
    )
    votes = st.builds(
        lambda person, reason, via: vote(person, reason=reason, via=via),
        st.sampled_from(["slack:T1/U1", "kubernetes:bob"]) | texts,
        texts,
        st.sampled_from(["slack", "terminal"]) | texts,
    )
    waves = st.integers(1, 3)
    entry = st.one_of(
        st.builds(
            Attempted,
            at=st.just(NOW),
            flow_run=texts,
            flow=st.sampled_from(["upgrade", "rollback"]),
        ),
        st.builds(Asked, gate=gate),
        st.builds(
            Decided,
            at=st.just(NOW),
            gate=st.sampled_from(["start", "wave-2"]),
            verdict=st.sampled_from(["approved", "rejected", "expired"]) | texts,
            votes=st.lists(votes, max_size=2).map(lambda some: tuple(some * 8)),
        ),
        st.builds(
            Controlled,
            vote=votes.map(lambda one: msgspec.structs.replace(one, answer=Answer.HOLD)),
        ),
        st.builds(Installed, at=st.just(NOW), revision=names, done=st.booleans()),
        st.builds(Moved, at=st.just(NOW), wave=waves),
        st.builds(WaveFailed, at=st.just(NOW), wave=waves, why=texts),
        st.builds(WaveRolledBack, at=st.just(NOW), wave=waves, why=texts),
        st.builds(Repointed, at=st.just(NOW), tags=st.lists(texts, max_size=40).map(tuple)),
        st.builds(Step, at=st.just(NOW), text=texts),
        st.builds(Uninstalling, at=st.just(NOW), revision=names, done=st.booleans()),
        st.builds(RollingBack, at=st.just(NOW), requester=names),
        st.builds(
            Finished,
            at=st.just(NOW),
            outcome=st.sampled_from(Outcome),
            text=texts,
            todo=st.lists(texts, max_size=20).map(tuple),
        ),
    )
    return (started, *draw(st.lists(entry, max_size=8)))


@st.composite
def views(draw: st.DrawFn) -> RunView:
    plan = draw(plans())
    refused = (Refused(key="k", why=draw(texts)),)
    tallies = [
        None,
        counted(yes(draw(texts), reason=draw(texts)), refused=refused),
        counted(yes(reason=draw(texts)), verdict=Verdict.APPROVED),
        counted(verdict=Verdict.REJECTED, rejection=yes(draw(texts), reason=draw(texts))),
    ]
    return RunView(
        cluster=draw(names),
        record=RunRecord(run=draw(names), entries=draw(entries(plan))),
        plan=draw(st.sampled_from([plan, plan, plan, None])),
        holding=draw(st.sampled_from([lease(), lease(process=""), None])),
        tally=draw(st.sampled_from(tallies)),
        now=after(draw(st.sampled_from([0, 200, 7200]))),
        links=Links(dashboard=draw(st.sampled_from(["http://prefect.test:4200", None]) | texts)),
        is_fresh=draw(st.booleans()),
    )
