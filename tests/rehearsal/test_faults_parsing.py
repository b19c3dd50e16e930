"""A fault that is mistyped, or befalls nothing, is told before anything starts."""

import pytest

from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.faults.kinds import KINDS
from deployments.rehearsal.faults.parsing import parse_faults
from deployments.rehearsal.scenario.finding import find

SHOP = find("shop")


def test_a_fault_has_a_target_a_moment_and_a_chance() -> None:
    (fault,) = parse_faults(["stuck-rollout:bank/ledger@12.5%50"], SHOP)

    assert (fault.kind.name, fault.namespace, fault.workload) == ("stuck-rollout", "bank", "ledger")
    assert (fault.after_seconds, fault.percent) == (12.5, 50.0)


def test_a_fault_of_the_api_has_no_target_and_befalls_some_requests() -> None:
    (fault,) = parse_faults(["api-500@3"], SHOP)

    assert (fault.target, fault.after_seconds) == ("", 3.0)
    assert 0 < fault.percent < 100


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("stuck-rolout:bank/ledger", "there is no such fault", id="no such kind"),
        pytest.param("stuck-rollout", "it is written stuck-rollout:NAMESPACE/WORKLOAD",
                     id="a target is missing"),
        pytest.param("api-429:bank", "it is written api-429[", id="a target too many"),
        pytest.param("stuck-rollout:bank/leger", "shop has no bank/leger; there are: bank/payments",
                     id="a workload that is not there"),
        pytest.param("stuck-rollout:bnk/ledger", "there are: staging/..., web/...",
                     id="a namespace that is not there"),
        pytest.param("istiod-dies:1-30", "there are: 1-28-3, 1-29-1",
                     id="a revision that is not there"),
        pytest.param("api-429@soon", "@SECONDS takes a number from 0 to 3600, not 'soon'",
                     id="a moment that is none"),
        pytest.param("api-429%200", "%PERCENT takes a number from 0 to 100, not '200'",
                     id="more than all"),
        pytest.param("API 429", "is not KIND:TARGET[@SECONDS][%PERCENT]", id="no fault at all"),
    ],
)  # fmt: skip
def test_a_mistake_says_what_would_be_right(text: str, complaint: str) -> None:
    with pytest.raises(WrongInputError) as raised:
        parse_faults([text], SHOP)

    assert complaint in str(raised.value)
    assert f"--fault {text}" in str(raised.value)


def test_a_kind_that_is_unknown_is_answered_with_all_that_are_known() -> None:
    with pytest.raises(WrongInputError) as raised:
        parse_faults(["nothing"], SHOP)

    assert all(name in str(raised.value) for name in KINDS)
