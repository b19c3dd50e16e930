"""
Looking at a cluster: its runs, who works for them, and what people have said.

It only reads: the Lease and the journal there, flow runs and signed rows in Prefect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec

from deployments.gatekeeper.config import ClusterConfig
from deployments.gatekeeper.sharing import Shared
from deployments.gatekeeper.thread import Links, RunView
from tasks.domain.approval import Gate, Row, Tally, Vote, controls, fingerprint, tally
from tasks.domain.errors import BadInputError, RefusedError, UpgradeError
from tasks.domain.journal import Holding, Planned, RunRecord
from tasks.domain.parameters import parse_json
from tasks.domain.plan import Plan, decoded
from tasks.domain.policy import Policy
from tasks.domain.runs import FlowRunInfo
from tasks.wiring import Services

# How long after its end a run's thread may still be behind, Slack having been away.
_CATCHING_UP: Final = timedelta(days=1)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One run at one moment."""

    view: RunView
    flow_run: FlowRunInfo | None = None  # the last that worked for it; None: in another Prefect
    known_as: str | None = None  # the first flow run of it that this Prefect has
    said: tuple[Vote, ...] = ()  # hold, resume and abort, whether the run has heard them or not


def _untold(_: RefusedError) -> None: ...


@dataclass(kw_only=True)
class WatchedCluster:
    """A cluster that the gatekeeper looks after."""

    config: ClusterConfig
    services: Services
    signing_key: str | None = None
    links: Links = field(default_factory=Links)
    _plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    _key: bytes = b""
    _hearings: dict[str, Shared[tuple[RunRecord, Sequence[Row]]]] = field(
        default_factory=dict[str, Shared[tuple[RunRecord, Sequence[Row]]]]
    )

    @property
    def name(self) -> str:
        return self.config.name

    def look(
        self, holding: Holding | None, *, left_out: Callable[[RefusedError], object] = _untold
    ) -> list[Seen]:
        """
        Return the runs that people still have to hear about, oldest first, beside the Lease.

        One that cannot be read hides no other: `left_out` is told. Raises UpgradeError if none can.
        """
        found, troubles = list[Seen](), list[RefusedError]()
        for record in self.services.records.runs(left_out=troubles.append):
            if self._is_over(record):
                continue
            try:
                found.append(self._with_people(self._view(record, holding)))
            except RefusedError as error:
                troubles.append(error)
        if troubles and not found:
            raise troubles[0]
        for one in troubles:
            left_out(one)
        return found

    def view(self, record: RunRecord) -> RunView:
        """Return a run as people are shown it, without what they have said."""
        return self._view(record, self.services.leases.holding())

    def _view(self, record: RunRecord, holding: Holding | None) -> RunView:
        return RunView(
            cluster=self.name,
            record=record,
            plan=self.plan(record),
            holding=holding,
            tally=None,
            now=self.services.clock.now(),
            links=self.links,
        )

    def _is_over(self, record: RunRecord) -> bool:
        if not record.of(Planned):
            return True
        finished = record.finished
        return finished is not None and self.services.clock.now() - finished.at > _CATCHING_UP

    def _with_people(self, view: RunView) -> Seen:
        record = view.record
        known = self._known(record)
        if not known:
            return Seen(view=view)
        rows = self._rows(known)
        gate = view.open_gate
        counted = None if gate is None else self.count(gate, rows)
        last = record.flow_runs[-1]
        return Seen(
            view=msgspec.structs.replace(view, tally=counted),
            flow_run=self.services.flow_runs().flow_run(last) if last in known else None,
            known_as=known[0],
            said=self._said(view, rows),
        )

    def _known(self, record: RunRecord) -> list[str]:
        """Return the flow runs that worked for a run, as far as they are in this Prefect."""
        flow_runs = self.services.flow_runs()
        return [one for one in record.flow_runs if flow_runs.knows(one)]

    def _said(self, view: RunView, rows: Sequence[Row]) -> tuple[Vote, ...]:
        policy = self.policy(view.record)
        key = self.key()
        return () if policy is None else controls(rows, run=view.record.run, key=key, policy=policy)

    # ---- parts of it, read now

    async def heard(self, run: str) -> tuple[RunRecord, Sequence[Row]]:
        """Return a run's journal and what people said to it, read once for all who ask together."""
        shared = self._hearings.setdefault(run, Shared(partial(self._heard, run)))
        return await shared.get()

    def _heard(self, run: str) -> tuple[RunRecord, Sequence[Row]]:
        record = self.record(run)
        return record, self.rows(record)

    def record(self, run: str) -> RunRecord:
        """Return one run's journal. Raises BadInputError when there is none."""
        return self.services.records.run(run)

    def rows(self, record: RunRecord) -> Sequence[Row]:
        """Return what people said to a run, whatever it is worth."""
        return self._rows(self._known(record))

    def _rows(self, flow_runs: Sequence[str]) -> Sequence[Row]:
        votes = self.services.votes()
        return [row for one in flow_runs for row in votes.rows(one)]

    def count(self, gate: Gate, rows: Sequence[Row]) -> Tally | None:
        """Return what a gate's rows add up to; None if we do not have the key to tell."""
        if not self.has_key_of(gate):
            return None
        prefix = f"vote-{gate.name}-"
        mine = [row for row in rows if row.key.startswith(prefix)]
        return tally(gate, mine, key=self.key(), now=self.services.clock.now())

    def has_key_of(self, gate: Gate) -> bool:
        """Whether votes that we sign count at a gate; a key that was changed is read again."""
        if gate.key in {"", fingerprint(self.key())}:
            return True
        self._key = b""
        return gate.key == fingerprint(self.key())

    def key(self) -> bytes:
        """Return the key that votes are signed with."""
        # Another thread may forget it meanwhile.
        if not (key := self._key):
            key = self._key = self.services.signing_key(self.signing_key)
        return key

    def plan(self, record: RunRecord) -> Plan | None:
        """Return a run's plan, which never changes; None if it cannot be read."""
        if record.run not in self._plans:
            try:
                document = self.services.records.plan(record.run)
                if document is None:
                    return None
                self._plans[record.run] = decoded(document)
            except RefusedError:
                return None
        return self._plans[record.run]

    def policy(self, record: RunRecord) -> Policy | None:
        """Return the policy of a run as a whole: who may hold, resume and abort it."""
        plan = self.plan(record)
        try:
            return None if plan is None else parse_json(plan.parameters).gates.policy()
        except BadInputError:
            return None


def run_of(clusters: Sequence[WatchedCluster], run: str | None) -> tuple[WatchedCluster, RunRecord]:
    """
    Return the run that somebody names, wherever it is; without a name the one that is under way.

    Raises BadInputError.
    """
    troubles: list[UpgradeError] = []
    found = [(one, record) for one in clusters for record in _candidates(one, run, troubles)]
    if troubles and not found:  # it may be what could not be read
        raise troubles[0]
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadInputError(f"there is no run {run}" if run else "no run is under way")
    names = ", ".join(f"{record.run} ({one.name})" for one, record in found)
    raise BadInputError(f"several runs are under way, so name one: {names}")


def _candidates(
    cluster: WatchedCluster, run: str | None, troubles: list[UpgradeError]
) -> list[RunRecord]:
    try:
        records = cluster.services.records.runs(left_out=troubles.append)
    except UpgradeError as error:
        if run is None:
            raise
        troubles.append(error)
        return []
    if run is not None:
        return [one for one in records if one.run == run]
    return [one for one in records if one.of(Planned) and one.finished is None]
