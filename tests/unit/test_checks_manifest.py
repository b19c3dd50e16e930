"""The manifest, and what must not differ between the old and the new control plane."""

import msgspec
import pytest

from tasks.domain.findings import Finding, Severity
from tasks.domain.rendering import RenderedObject
from tests.builders import MESH, NEW, OLD, plane
from tests.unit.checks_cases import RENDERED, found, mesh, names, only

BLOCKS = Severity.BLOCKS


def rendering(kind: str, name: str) -> list[Finding]:
    made = RenderedObject(api_version="apps/v1", kind=kind, name=name, namespace=MESH)
    return found(rendered=msgspec.structs.replace(RENDERED, objects=(*RENDERED.objects, made)))


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("Deployment", "istio-ingressgateway", "renders-gateway"),
        ("Deployment", "istio-egressgateway", "renders-gateway"),
        ("Deployment", "my-edge", "renders-gateway"),
        ("Deployment", "istiod", "renders-istiod"),
        ("Deployment", f"istiod-{OLD}", "renders-istiod"),
        ("DaemonSet", "istio-cni-node", "renders-cni"),
        ("DaemonSet", "ztunnel", "renders-ztunnel"),
        ("DaemonSet", "else", "renders-daemon-set"),
    ],
)
def test_what_would_change_in_place_blocks(kind: str, name: str, code: str) -> None:
    one = only(rendering(kind, name), BLOCKS, f"{code}:{MESH}/{kind}/{name}")
    assert "profile=minimal" in one.todo


def test_what_belongs_to_a_canary_is_no_finding() -> None:
    assert rendering("Service", f"istiod-{NEW}") == []


def test_a_manifest_that_was_not_rendered_blocks() -> None:
    only(found(rendered=None), BLOCKS, f"not-rendered:revision/{NEW}")


def test_what_istioctl_says_is_passed_on() -> None:
    said = msgspec.structs.replace(RENDERED, warnings=("! values.x is deprecated.",))
    (one,) = found(rendered=said)
    assert one.severity is Severity.INFORMS
    assert "! values.x is deprecated." in one.fact


# ------------------------------------------------------------------ trust and sight


def compared(
    before: tuple[str | None, str | None], after: tuple[str | None, str | None]
) -> list[Finding]:
    """Return what is found when (mesh configuration, values) go from one to the other."""
    old = plane(mesh_config=before[0], values=before[1])
    new = msgspec.structs.replace(RENDERED, mesh_config=after[0], values=after[1])
    return found(mesh(control_planes=(old,)), rendered=new)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((None, None), (None, None), id="nothing is said"),
        pytest.param(
            ("trustDomain: cluster.local\n", '{"global": {"pilotCertProvider": "istiod"}}'),
            (None, "{}"),
            id="what is missing has Istio's default",
        ),
        pytest.param(
            (
                "discoverySelectors: [{matchLabels: {a: '1', b: '2'}}, {matchLabels: {c: '3'}}]",
                None,
            ),
            (
                "discoverySelectors: [{matchLabels: {c: '3'}}, {matchLabels: {b: '2', a: '1'}}]",
                None,
            ),
            id="the order of selectors says nothing",
        ),
        pytest.param(
            (None, '{"pilot": {"env": {"EXTERNAL_CA": true}}}'),
            (None, '{"env": {"EXTERNAL_CA": "true"}, "pilot": null, "global": null}'),
            id="istiod's environment may stand in two places",
        ),
        pytest.param(
            ("rootNamespace: a", '{"global": {"hub": "x"}}'),
            ("rootNamespace: b", '{"global": {"hub": "y"}}'),
            id="other settings may differ",
        ),
    ],
)
def test_equal_trust_and_sight_is_no_finding(
    before: tuple[str | None, str | None], after: tuple[str | None, str | None]
) -> None:
    assert compared(before, after) == []


def test_another_trust_domain_blocks() -> None:
    every = compared(("trustDomain: corp.example", None), (None, None))
    one = only(every, BLOCKS, f"trust-domain-differs:revision/{NEW}")
    assert "is corp.example and would be cluster.local" in one.fact


@pytest.mark.parametrize(
    ("mesh_config", "values", "setting"),
    [
        (None, '{"global": {"pilotCertProvider": "kubernetes"}}', "global.pilotCertProvider"),
        (None, '{"global": {"caAddress": "ca.example:443"}}', "global.caAddress"),
        (None, '{"global": {"caName": "other"}}', "global.caName"),
        (None, '{"env": {"EXTERNAL_CA": "ISTIOD_RA_KUBERNETES_API"}}', "env.EXTERNAL_CA"),
        ("ca: {address: ca.example}", None, "meshConfig.ca"),
        ("caCertificates: [{pem: SECRETLY}]", None, "meshConfig.caCertificates"),
    ],
)
def test_another_ca_blocks_and_the_setting_is_named_but_not_its_value(
    mesh_config: str | None, values: str | None, setting: str
) -> None:
    one = only(compared((None, None), (mesh_config, values)), BLOCKS, f"ca-differs:revision/{NEW}")
    assert setting in one.fact
    assert "SECRETLY" not in one.fact + one.todo
    assert "ca.example" not in one.fact + one.todo


def test_other_discovery_selectors_block() -> None:
    every = compared((None, None), ("discoverySelectors: [{matchLabels: {a: b}}]", None))
    only(every, BLOCKS, f"discovery-selectors-differ:revision/{NEW}")


@pytest.mark.parametrize(
    ("mesh_config", "values"),
    [
        pytest.param("a: [", None, id="no YAML"),
        pytest.param("- a", None, id="a list"),
        pytest.param("discoverySelectors: none", None, id="another type"),
        pytest.param("since: 2026-13-45", None, id="a date that there is not"),
        pytest.param(None, "{", id="no JSON"),
        pytest.param(None, "[]", id="values that are a list"),
    ],
)
def test_what_cannot_be_compared_blocks(mesh_config: str | None, values: str | None) -> None:
    for every in (
        compared((mesh_config, values), (None, None)),
        compared((None, None), (mesh_config, values)),
    ):
        assert names(every) == [f"BLOCKS config-uncomparable:revision/{OLD}"]
