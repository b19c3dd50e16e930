"""Steps that follow one another: the one that failed says why, not the one that never began."""

import pytest
from prefect import flow, task

from flows.upgrade import finished
from tasks.domain.errors import RefusedError


@task
def refused() -> None:
    """Fail with a reason."""
    raise RefusedError("the injector is gone")


@task
def never_begun() -> None:
    """Come after what failed."""


@flow
def in_a_row() -> None:
    """Do one after the other."""
    first = refused.submit(return_state=False)
    finished(first, never_begun.submit(wait_for=[first], return_state=False))


@pytest.mark.usefixtures("prefect_server")
def test_a_step_that_failed_is_heard_although_another_was_to_follow_it() -> None:
    with pytest.raises(RefusedError, match="the injector is gone"):
        in_a_row()
