"""Parameters: what a person may ask for, and what they are told when they may not."""

from datetime import timedelta
from typing import Final

import pytest

from tasks.domain.errors import BadInputError
from tasks.domain.parameters import (
    RollbackParameters,
    UpgradeParameters,
    parse,
    parse_access,
    parse_json,
)
from tasks.domain.policy import GateName, Person, Policy
from tasks.domain.rendering import InstallRequest, Overlay
from tasks.domain.revision import Version
from tests.unit.plan_cases import asked

ANN: Final = {"name": "ann", "identities": ["kubernetes:ann", "slack:T1/U1"]}


def overlay(content: str, name: str = "mesh.yaml") -> dict[str, str]:
    return {"name": name, "content": content}


# ---------------------------------------------------------------- what is meant by default


def test_a_version_is_enough() -> None:
    parameters = asked()
    assert parameters.version == Version(1, 29, 1)
    assert parameters.canary == "1-29-1"
    assert parameters.quiet_period == timedelta(seconds=60)
    assert parameters.labels_afterwards == "as-before"
    assert not parameters.keep_old
    assert parameters.gates.at == list(GateName)


def test_the_canary_can_be_named() -> None:
    assert asked(revision="blue").canary == "blue"


def test_a_form_may_leave_the_canarys_name_empty() -> None:
    assert asked(revision="").canary == "1-29-1"


def test_the_policy_is_what_the_gates_say() -> None:
    gates = {
        "approvers": ["ann", "kubernetes:bob"],
        "quorum": 2,
        "requester_may_approve": False,
        "terminal_votes": False,
        "people": [ANN],
    }
    assert asked(gates=gates).gates.policy() == Policy(
        approvers=("ann", "kubernetes:bob"),
        quorum=2,
        requester_may_approve=False,
        terminal_votes=False,
        people=(Person(name="ann", identities=("kubernetes:ann", "slack:T1/U1")),),
    )


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        pytest.param(
            {"to": "1.29"}, "an Istio version looks like 1.29.1, not '1.29'", id="half a version"
        ),
        pytest.param(
            {"to": "1.29.1", "revision": "default"},
            "revision 'default' is what an istiod without a revision calls itself; "
            "name the canary after its version, for example 1-29-1",
            id="a canary that is called default",
        ),
        pytest.param(
            {"to": "1.29.1", "gates": {"approvers": ["kubernetes:ann"], "quorum": 2}},
            "a quorum of 2 cannot be reached: 1 people may approve",
            id="a quorum that nobody can reach",
        ),
        pytest.param(
            {"to": "1.29.1", "gates": {"approvers": ["bob"], "people": [ANN]}},
            "approver 'bob' is neither in the people table nor an identity such as "
            "kubernetes:USER, slack:TEAM/USER or slack-group:TEAM/GROUP",
            id="an approver whom nobody knows",
        ),
        pytest.param(
            {"to": "1.29.1", "waves": [["shop"], []]},
            "wave 2 is empty; name at least one namespace",
            id="an empty wave",
        ),
        pytest.param(
            {"to": "1.29.1", "waves": [["shop", "Shop!"]]},
            "wave 1: 'Shop!' is no name of a namespace",
            id="no name of a namespace",
        ),
        pytest.param(
            {"to": "1.29.1", "waves": [["shop"], ["bank", "shop"]]},
            "namespace shop is in wave 1 and again in wave 2; name it once",
            id="a namespace in two waves",
        ),
        pytest.param(
            {"to": "1.29.1", "sets": ["values.pilot.env.X"]},
            "--set takes PATH=VALUE, not 'values.pilot.env.X'",
            id="a --set without a value",
        ),
        pytest.param(
            {"to": "1.29.1", "sets": ["=true"]},
            "--set takes PATH=VALUE, not '=true'",
            id="a --set without a path",
        ),
        pytest.param(
            {"to": "1.29.1", "sets": ["--kubeconfig=/tmp/other"]},
            "--set takes PATH=VALUE, not '--kubeconfig=/tmp/other'",
            id="an option of istioctl in disguise",
        ),
        pytest.param(
            {"to": "1.29.1", "sets": ["revision=blue"]},
            "--set revision=... is not taken: name the canary with --revision",
            id="the revision by --set",
        ),
        pytest.param({}, "to: Field required", id="no version"),
        pytest.param(
            {"to": "1.29.1", "form": "1-28-3"},
            "form: Extra inputs are not permitted",
            id="a key that is misspelt",
        ),
        pytest.param(
            {"to": "1.29.1", "limits": {"batches_at_once": 0}},
            "limits.batches_at_once: Input should be greater than or equal to 1",
            id="a limit of nothing",
        ),
        pytest.param(
            {"to": "1.29.1", "gates": {"at": ["lunch"]}},
            "gates.at.0: Input should be 'start', 'wave', 'default' or 'uninstall'",
            id="a gate that there is not",
        ),
        pytest.param(
            {"to": "1.29.1", "quiet_period_seconds": float("nan")},
            "quiet_period_seconds: Input should be a finite number",
            id="no time at all",
        ),
        pytest.param(
            {"to": 1.29, "keep_old": "perhaps"},
            "to: Input should be a valid string; "
            "keep_old: Input should be a valid boolean, unable to interpret input",
            id="two mistakes are told at once",
        ),
    ],
)
def test_parameters_are_refused_by_what_is_wrong_with_them(
    document: dict[str, object], refusal: str
) -> None:
    with pytest.raises(BadInputError) as raised:
        parse(document)
    assert str(raised.value) == refusal


@pytest.mark.parametrize(
    ("most", "too_much"),
    [
        pytest.param(
            {"limits": {"batches_at_once": 64}},
            {"limits": {"batches_at_once": 65}},
            id="as many batches as a run has threads",
        ),
        pytest.param(
            {"gates": {"expiry_seconds": 30 * 24 * 3600}},
            {"gates": {"expiry_seconds": 30 * 24 * 3600 + 1}},
            id="a gate is open for a month",
        ),
        pytest.param(
            {"timeouts": {"rollout_seconds": 7 * 24 * 3600}},
            {"timeouts": {"rollout_seconds": 7 * 24 * 3600 + 1}},
            id="a step takes a week",
        ),
        pytest.param(
            {"quiet_period_seconds": 3600},
            {"quiet_period_seconds": 3601},
            id="an hour between two looks",
        ),
    ],
)
def test_there_is_a_most_that_can_be_asked_for(
    most: dict[str, object], too_much: dict[str, object]
) -> None:
    asked(**most)
    with pytest.raises(BadInputError, match="should be less than or equal to"):
        asked(**too_much)


@pytest.mark.parametrize(
    "where", ["keys/signing", "secret:istio-system/key", "file:", "https://keys.example.com/key"]
)
def test_a_signing_key_is_named_by_file_or_secret(where: str) -> None:
    with pytest.raises(BadInputError, match=r"^gates\.signing_key: String should match pattern"):
        asked(gates={"signing_key": where})


@pytest.mark.parametrize("where", ["file:/etc/key", "secret:istio-system/key/value"])
def test_a_signing_key_may_be_in_a_file_or_a_secret(where: str) -> None:
    assert asked(gates={"signing_key": where}).gates.signing_key == where


# ---------------------------------------------------------------- the same command


SAME: Final = asked(waves=[["shop"]], sets=["values.pilot.x=1"])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"requester": "kubernetes:bob"}, id="somebody else asks"),
        pytest.param({"cluster": {"kubeconfig": "/home/bob/config"}}, id="from another machine"),
        pytest.param({"istioctl": ["/opt/istioctl"]}, id="with istioctl elsewhere"),
    ],
)
def test_the_same_wish_has_the_same_fingerprint(changes: dict[str, object]) -> None:
    again = asked(waves=[["shop"]], sets=["values.pilot.x=1"], **changes)
    assert again.fingerprint() == SAME.fingerprint()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"to": "1.29.2"}, id="another version"),
        pytest.param({"waves": [["bank"]]}, id="other waves"),
        pytest.param({"sets": []}, id="other values"),
        pytest.param({"overlays": [overlay("spec: {}")]}, id="an overlay"),
        pytest.param({"gates": {"quorum": 2}}, id="another quorum"),
        pytest.param({"keep_old": True}, id="the old revision stays"),
        pytest.param({"overrides": ["surge:cluster"]}, id="a finding overridden"),
    ],
)
def test_another_wish_has_another_fingerprint(changes: dict[str, object]) -> None:
    other = parse({"to": "1.29.1", "waves": [["shop"]], "sets": ["values.pilot.x=1"], **changes})
    assert other.fingerprint() != SAME.fingerprint()


# ---------------------------------------------------------------- what istioctl is asked


def test_an_install_is_minimal_so_that_no_bundled_gateway_is_upgraded_in_place() -> None:
    content = "spec:\n  meshConfig: {}\n"
    parameters = asked(
        cluster={"istio_namespace": "mesh"}, overlays=[overlay(content)], sets=["a.b=c"]
    )
    assert parameters.install_request() == InstallRequest(
        revision="1-29-1",
        namespace="mesh",
        overlays=(Overlay(name="mesh.yaml", content=content),),
        sets=("profile=minimal", "a.b=c"),
    )


@pytest.mark.parametrize(
    ("changes", "sets"),
    [
        pytest.param({"sets": ["profile=empty"]}, ("profile=empty",), id="by --set"),
        pytest.param({"overlays": [overlay("spec:\n  profile: demo\n")]}, (), id="by an overlay"),
        pytest.param(
            {"overlays": [overlay("a: b\n---\nspec: {profile: demo}\n")]},
            (),
            id="by an overlay's second document",
        ),
    ],
)
def test_a_profile_that_somebody_names_is_taken(
    changes: dict[str, object], sets: tuple[str, ...]
) -> None:
    assert asked(**changes).install_request().sets == sets


@pytest.mark.parametrize(
    "content", ["", "just text", "- a\n- list\n", "spec: none\n", "profile: at the wrong place\n"]
)
def test_an_overlay_that_names_no_profile_leaves_the_install_minimal(content: str) -> None:
    assert asked(overlays=[overlay(content)]).install_request().sets == ("profile=minimal",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("spec: [", "while parsing a flow node", id="a bracket that is not closed"),
        pytest.param("spec: 2001-99-99", "month must be in 1..12", id="a date that is none"),
    ],
)
def test_an_overlay_that_is_not_yaml_is_named(content: str, words: str) -> None:
    with pytest.raises(BadInputError) as raised:
        asked(overlays=[overlay("spec: {}"), overlay(content, "b.yaml")]).install_request()
    assert str(raised.value).startswith(f"overlay b.yaml is not YAML: {words}")
    assert "\n" not in str(raised.value)


# ---------------------------------------------------------------- recorded parameters


def test_parameters_survive_being_recorded() -> None:
    parameters = asked(waves=[["shop"]], overlays=[overlay("spec: {}")], gates={"at": ["start"]})
    assert parse_json(parameters.model_dump_json()) == parameters


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("not json", "recorded parameters: Invalid JSON", id="no JSON"),
        pytest.param("{}", "recorded parameters: to: Field required", id="no version"),
    ],
)
def test_recorded_parameters_that_are_none_of_ours_are_refused(text: str, words: str) -> None:
    with pytest.raises(BadInputError) as raised:
        parse_json(text)
    assert str(raised.value).startswith(words)


def test_a_plain_rollback_undoes_the_newest_run() -> None:
    assert RollbackParameters().run is None


def test_every_field_of_the_form_is_explained() -> None:
    unexplained = [
        name
        for name, field in UpgradeParameters.model_fields.items()
        if field.description is None and name not in {"cluster", "limits", "timeouts", "gates"}
    ]
    assert unexplained == []


def test_a_cluster_that_cannot_be_named_so_is_refused_with_the_field() -> None:
    with pytest.raises(BadInputError, match=r"^context: "):
        parse_access({"context": "x" * 501})
