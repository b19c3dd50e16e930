"""What the gatekeeper has to do for a run whose process does not act by itself. Pure."""

import enum
from datetime import timedelta
from typing import Final

from deployments.gatekeeper.looking import Seen
from tasks.domain.approval import Verdict, aborted_by, is_held
from tasks.domain.journal import Controlled, RunRecord, Waited
from tasks.domain.lapsing import LeaseWatch

# A process that takes a run up has to see its predecessor's Lease lapse first.
UNTIL_TAKEN: Final = timedelta(minutes=2)


class Duty(enum.Enum):
    """What has to be done in Prefect."""

    NOTHING = enum.auto()
    RESUME = enum.auto()
    RESCHEDULE = enum.auto()


class RunWatch:
    """Sees a run over several looks."""

    def __init__(self) -> None:
        self._lease = LeaseWatch()
        self._state = ""
        self._unchanged = timedelta()

    def duty(self, seen: Seen, *, after: timedelta) -> Duty:
        """Look once more, so long after the last look."""
        flow_run, record = seen.flow_run, seen.view.record
        has_lapsed = self._lease.has_lapsed(seen.view.holding, record.run, after=after)
        if flow_run is None or flow_run.deployment_id is None or record.finished is not None:
            return Duty.NOTHING
        if flow_run.state_id != self._state:
            self._state, self._unchanged = flow_run.state_id, timedelta()
        self._unchanged += after
        if flow_run.state_type == "PAUSED":
            return Duty.RESUME if has_an_answer(seen) else Duty.NOTHING
        is_lost = flow_run.state_type == "RUNNING" and has_lapsed
        return Duty.RESCHEDULE if is_lost and self._unchanged >= UNTIL_TAKEN else Duty.NOTHING

    def begin_anew(self) -> None:
        """Forget the Lease: nobody could look for a while."""
        self._lease.begin_anew()


def has_an_answer(seen: Seen) -> bool:
    """
    Whether a suspended run would go on, were it resumed.

    One that did not suspend by itself was suspended by somebody in Prefect, who has a reason.
    """
    record, counted = seen.view.record, seen.view.tally
    # A rollback has obeyed the abort before it, and stops for none.
    if aborted_by(seen.said) is not None and not record.attempt_is_rollback:
        return True
    if not _waits_by_itself(record):
        return False
    if (gate := record.open_gate) is None:
        # The run may have heard what we cannot verify; it would suspend again at once.
        heard = [one.vote for one in record.of(Controlled)]
        return not is_held([*heard, *seen.said])
    if seen.view.now >= gate.expires_at:  # which nobody needs a key to see
        return True
    return counted is not None and counted.verdict is not Verdict.WAITING


def _waits_by_itself(record: RunRecord) -> bool:
    own = [one for one in record.entries if not isinstance(one, Controlled)]
    return bool(own) and isinstance(own[-1], Waited)
