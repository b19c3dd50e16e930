"""The plan as a deployment's flow: what kept it from being drawn up names the flow run's last state."""

import pytest

from flows.plan import plan as plan_flow
from tasks.domain.errors import RefusedError
from tasks.wiring import using
from tests.fakes import FakeCluster, services
from tests.unit.plan_cases import asked


@pytest.mark.usefixtures("prefect_server")
def test_a_plan_that_cannot_be_drawn_up_says_why() -> None:
    with using(services(cluster=FakeCluster(RefusedError("istiod may not be read")))):
        state = plan_flow(asked(), return_state=True)

    assert (state.type, state.name) == ("FAILED", "Blocked")
    assert state.message == "istiod may not be read"
