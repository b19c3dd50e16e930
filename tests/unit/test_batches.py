"""Batches of a wave: one that has not begun when another fails never begins."""

import pytest

from tasks.domain.errors import HaltedError
from tasks.domain.journal import RunRecord, Started
from tasks.domain.plan import Batch
from tasks.namespaces import migrate_namespace_batch
from tests.builders import NEW, NOW, OLD, REQUESTER, RUN
from tests.fakes import FakeRecords, FakeVotes, services, working
from tests.unit.plan_cases import asked, plan


def test_a_batch_that_waited_for_its_place_while_another_failed_touches_nothing() -> None:
    started = Started(
        at=NOW, parameters="0", target="1.29.1", revision=NEW, old=OLD, requester=REQUESTER
    )
    records = FakeRecords(RunRecord(run=RUN, entries=(started,)))
    with working(services(records=records, votes=FakeVotes())) as chosen:
        chosen.wave_failed.set()
        with pytest.raises(HaltedError, match="never begun"):
            migrate_namespace_batch.fn(Batch(number=1, wave=1, namespaces=()), plan(), asked())

    assert records.run(RUN).entries == (started,)
