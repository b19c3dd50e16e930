"""What people type after /istio-canary: what it means, and what is refused."""

import pytest

from deployments.gatekeeper.words import HELP, Wish, parse_wish
from tasks.domain.errors import BadInputError


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        pytest.param("", Wish(verb="help"), id="nothing asks for help"),
        pytest.param("  help ", Wish(verb="help"), id="spaces do not count"),
        pytest.param("status", Wish(verb="status"), id="all clusters"),
        pytest.param("status eu", Wish(verb="status", cluster="eu"), id="one cluster"),
        pytest.param("upgrade 1.29.1", Wish(verb="upgrade", version="1.29.1"), id="a version"),
        pytest.param(
            "plan 1.29.1 eu", Wish(verb="plan", version="1.29.1", cluster="eu"), id="and a cluster"
        ),
        pytest.param("hold", Wish(verb="hold"), id="the run under way"),
        pytest.param(
            "hold 1-29-1-abcde", Wish(verb="hold", run="1-29-1-abcde"), id="a run by its name"
        ),
        pytest.param(
            "reject errors are up",
            Wish(verb="reject", reason="errors are up"),
            id="a reason without a run",
        ),
        pytest.param(
            "reject 1-29-1-abcde it's Friday",
            Wish(verb="reject", run="1-29-1-abcde", reason="it's Friday"),
            id="an apostrophe is no quotation mark",
        ),
        pytest.param(
            'abort 1-29-1-abcde "all  of it"',
            Wish(verb="abort", run="1-29-1-abcde", reason="all  of it"),
            id="quotation marks keep words together",
        ),
        pytest.param("rollback", Wish(verb="rollback"), id="the newest"),
        pytest.param(
            "rollback 1-29-1-abcde", Wish(verb="rollback", run="1-29-1-abcde"), id="one by name"
        ),
    ],
)
def test_words_are_understood(text: str, wish: Wish) -> None:
    assert parse_wish(text) == wish


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("upgrad 1.29.1", "'upgrad' is none of: help, status, plan", id="a typo"),
        pytest.param("upgrade", "say `upgrade VERSION", id="an upgrade to nowhere"),
        pytest.param("plan 1.29.1 eu us", "say `plan VERSION", id="two clusters"),
        pytest.param("status eu us", "status takes one name at most", id="too many names"),
        pytest.param("x" * 5000, "5000 characters", id="a novel"),
    ],
)
def test_words_are_refused(text: str, why: str) -> None:
    with pytest.raises(BadInputError) as raised:
        parse_wish(text)
    assert why in str(raised.value)


def test_help_names_every_verb() -> None:
    verbs = ("status", "plan", "upgrade", "hold", "resume", "abort", "rollback", "approve")
    assert all(f"`{verb} " in HELP for verb in verbs)
