"""What is known of a run when its thread in Slack is written: everything that the texts may say."""

from datetime import datetime

import msgspec

from tasks.domain.approval import Gate, Tally
from tasks.domain.journal import Asked, Holding, RunRecord
from tasks.domain.plan import Plan, digest
from tasks.domain.policy import Policy


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Where people can read on. None: nothing is linked to."""

    dashboard: str | None = None  # of Prefect, for example http://host:4200


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one cluster, as it was read at a moment."""

    cluster: str
    record: RunRecord
    plan: Plan | None
    holding: Holding | None  # the Lease
    tally: Tally | None  # of the open gate's rows; None without a gate, or if they were not read
    now: datetime
    links: Links = Links()
    is_fresh: bool = True  # False: the cluster or Prefect could not be read now

    @property
    def open_gate(self) -> Gate | None:
        """The gate that waits for people; none of a run that is over or being undone."""
        return None if self.record.finished is not None else self.record.open_gate

    @property
    def policy(self) -> Policy:
        """The policy whose people table says who is who: that of the gate asked last."""
        asked = self.record.last(Asked)
        return asked.gate.policy if asked is not None else Policy()

    def plan_of(self, gate: Gate) -> Plan | None:
        """Return the plan that a gate was asked about; None if what was read is another one."""
        return self.plan if self.plan is not None and digest(self.plan) == gate.digest else None
