"""What an install applies: the recorded objects, as profile, files and flags change them."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.rehearsal.istioctl import manifest
from deployments.rehearsal.istioctl.configuration import configuration
from deployments.rehearsal.istioctl.descriptions import Description
from deployments.rehearsal.istioctl.errors import CommandError

Json = dict[str, Any]
MINIMAL = "profile=minimal"


def generated(
    *settings: str, revision: str = "1-29-1", version: str = "1.29.1", files: Sequence[str] = ()
) -> list[Json]:
    wanted = configuration(version=version, files=files, settings=settings, revision=revision)
    return [one.object for one in manifest.objects(Description.of(version), wanted)]


def one(objects: Sequence[Json], kind: str, name: str) -> Json:
    (found,) = (obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == (kind, name))
    return found


def names(objects: Sequence[Json], kind: str) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects if obj["kind"] == kind]


def hooks(obj: Json) -> list[str]:
    return [hook["name"].removesuffix(".sidecar-injector.istio.io") for hook in obj["webhooks"]]


def test_a_revision_is_in_every_name_of_its_own() -> None:
    objects = generated(MINIMAL)

    assert names(objects, "Deployment") == ["istiod-1-29-1"]
    assert names(objects, "Service") == ["istiod-1-29-1"]
    assert names(objects, "ConfigMap") == [
        "istio-1-29-1", "istio-sidecar-injector-1-29-1", "values-1-29-1",
    ]  # fmt: skip
    assert names(objects, "ValidatingWebhookConfiguration") == [
        "istio-validator-1-29-1-istio-system"
    ]
    assert len(names(objects, "CustomResourceDefinition")) == 14


def test_a_revisioned_injector_has_two_webhooks_and_one_without_a_revision_four() -> None:
    revisioned = one(
        generated(MINIMAL), "MutatingWebhookConfiguration", "istio-sidecar-injector-1-29-1"
    )
    plain = one(
        generated(MINIMAL, revision=""), "MutatingWebhookConfiguration", "istio-sidecar-injector"
    )

    assert hooks(revisioned) == ["rev.namespace", "rev.object"]
    assert hooks(plain) == ["rev.namespace", "rev.object", "namespace", "object"]


def test_the_default_profile_brings_a_gateway_and_the_minimal_one_does_not() -> None:
    assert "istio-ingressgateway" in names(generated(), "Deployment")
    assert "istio-ingressgateway" not in names(generated(MINIMAL), "Deployment")


def test_flags_win_over_files(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n"
        "spec:\n  profile: minimal\n  tag: a\n  values: {pilot: {env: {A: '1'}}}\n"
    )

    objects = generated("tag=b", files=[str(overlay)])

    deployment = one(objects, "Deployment", "istiod-1-29-1")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "docker.io/istio/pilot:b"
    assert {"name": "A", "value": "1"} in container["env"]


def test_what_decides_about_trust_is_in_the_config_maps() -> None:
    objects = generated(MINIMAL, "meshConfig.trustDomain=td", "values.global.caAddress=ca:1")

    mesh = yaml.safe_load(one(objects, "ConfigMap", "istio-1-29-1")["data"]["mesh"])
    values = json.loads(one(objects, "ConfigMap", "values-1-29-1")["data"]["merged-values"])
    assert mesh["trustDomain"] == "td"
    assert mesh["rootNamespace"] == "istio-system"
    assert values["global"]["caAddress"] == "ca:1"
    assert values["revision"] == "1-29-1"


def test_the_schemas_that_changed_between_the_minors_can_be_told() -> None:
    def digests(version: str) -> dict[str, str]:
        objects = generated(MINIMAL, version=version)
        return {
            obj["metadata"]["name"].partition(".")[0]: json.dumps(obj["spec"])
            for obj in objects
            if obj["kind"] == "CustomResourceDefinition"
        }

    old, new = digests("1.28.3"), digests("1.29.1")

    changed = {name for name in new if old[name] != new[name]}
    assert changed == {"destinationrules", "envoyfilters", "virtualservices", "telemetries"}


def test_the_same_input_is_the_same_text() -> None:
    wanted = configuration(version="1.29.1", files=[], settings=[], revision="a")
    description = Description.of("1.29.1")

    once, again = (manifest.printed(manifest.objects(description, wanted)) for _ in range(2))

    assert once == again


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        (
            "spec: {profle: minimal}\n",
            (),
            'could not unmarshal: json: unknown field "profle"',
        ),
        ("a: 1\n---\nb: 2\n", (), "contains multiple IstioOperator CRs"),
        ("spec: {profile: nope}\n", (), 'profile "nope" not found'),
    ],
)
def test_what_makes_no_sense_is_refused_in_istioctl_s_words(
    tmp_path: Path, content: str, settings: Sequence[str], words: str
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(content)

    with pytest.raises(CommandError, match=words):
        generated(*settings, files=[str(overlay)])


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="open /nowhere: no such file or directory"):
        generated(files=["/nowhere"])


_SETTINGS = [
    pytest.param([], "", id="nothing"),
    pytest.param([MINIMAL], "canary", id="a revision"),
    pytest.param([MINIMAL, "values.global.istioNamespace=mesh"], "canary", id="a namespace"),
    pytest.param(
        [MINIMAL, "values.pilot.replicaCount=3", "values.pilot.autoscaleEnabled=false"],
        "canary",
        id="replicas",
    ),
    pytest.param(
        [MINIMAL, "values.revisionTags[0]=prod", "hub=reg.local/x", "tag=9"], "canary", id="a tag"
    ),
    pytest.param(
        [MINIMAL, "values.sidecarInjectorWebhook.enableNamespacesByDefault=true"],
        "",
        id="all namespaces",
    ),
    pytest.param(["profile=empty"], "", id="nothing at all"),
]


@pytest.mark.parametrize("version", ["1.28.3", "1.29.1"])
@pytest.mark.parametrize(("settings", "revision"), _SETTINGS)
def test_the_real_istioctl_generates_the_same(
    version: str, settings: Sequence[str], revision: str
) -> None:
    real = os.environ.get(f"ISTIOCTL_{version.replace('.', '_')}")
    if not real:
        pytest.skip(f"no real istioctl {version}")
    argv = [real, "manifest", "generate", *(f"--set={one}" for one in settings)]
    argv += [f"--revision={revision}"] if revision else []
    done = subprocess.run(argv, check=True, capture_output=True, timeout=60)

    expected = [obj for obj in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if obj]

    ours = generated(*settings, revision=revision, version=version)
    assert [_comparable(obj) for obj in ours] == [_comparable(obj) for obj in expected]


def _comparable(obj: Json) -> Json:
    """Return an object without the text that was not recorded, and texts as what they mean."""
    if obj["kind"] == "CustomResourceDefinition":
        for version in obj["spec"]["versions"]:
            del version["schema"]
            for column in version.get("additionalPrinterColumns", []):
                column.pop("description", None)
    if obj["kind"] == "ConfigMap":
        data = {key: yaml.safe_load(text) for key, text in obj["data"].items() if key != "config"}
        return {**obj, "data": data}
    return obj
