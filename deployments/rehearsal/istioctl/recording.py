"""
Makes the data of a minor: what its real istioctl installs, as names, labels, kinds and selectors.

Run by hand, with the real one at hand:
`python -m deployments.rehearsal.istioctl.recording ISTIOCTL deployments/rehearsal/istioctl/data`.
Schemas and templates, which are text of Istio's, are left out; a schema leaves its digest, since
that it changed is a fact too.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

Json = dict[str, Any]

_REVISION, _NAMESPACE, _HUB, _TAG = "zz-revision", "istio-system", "zz-hub", "zz-tag"
# Enough replicas for a PodDisruptionBudget, and the autoscaler as well.
_SETTINGS: Final = (
    f"--set=hub={_HUB}", f"--set=tag={_TAG}", "--set=values.pilot.autoscaleMin=2",
)  # fmt: skip
_COMPONENTS: Final = {"base": "Base", "istiod": "Pilot", "istio-ingress": "IngressGateways"}


def _generated(istioctl: str, *flags: str) -> list[Json]:
    argv = [istioctl, "manifest", "generate", *_SETTINGS, *flags]
    printed = subprocess.run(argv, check=True, capture_output=True).stdout
    return [one for one in yaml.load_all(printed, Loader=yaml.CSafeLoader) if one]


def _version(istioctl: str) -> Json:
    argv = [istioctl, "version", "--remote=false", "-o", "json"]
    printed = subprocess.run(argv, check=True, capture_output=True).stdout
    found: Json = json.loads(printed)["clientVersion"]
    return found


def _with_blanks(obj: Json) -> Json:
    """Put a name in place of everything that an install chooses."""
    text = json.dumps(obj)
    for given, blank in (
        (f"-{_REVISION}", "${suffix}"),
        (_REVISION, "${revision}"),
        (_NAMESPACE, "${namespace}"),
        (_HUB, "${hub}"),
        (_TAG, "${tag}"),
    ):
        text = text.replace(given, blank)
    found: Json = json.loads(text)
    return found


def _unrevisioned(obj: Json) -> Json:
    """Return what an object with blanks is for an install without a revision."""
    text = json.dumps(obj).replace("${suffix}", "").replace("${revision}", "default")
    found: Json = json.loads(text)
    return found


def _key(obj: Json) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def _without_text(obj: Json) -> Json:
    if obj["kind"] == "CustomResourceDefinition":
        for version in obj["spec"]["versions"]:
            _summarize(version)
    if obj["kind"] == "ConfigMap":
        obj["data"] = {}
    return obj


def _summarize(version: Json) -> None:
    """Replace a schema by its digest, and drop what describes columns in prose."""
    digest = hashlib.sha256(json.dumps(version["schema"], sort_keys=True).encode()).hexdigest()
    version["schema"] = {
        "openAPIV3Schema": {
            "description": f"Digest of the real schema: {digest[:16]}",
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
        }
    }
    for column in version.get("additionalPrinterColumns", []):
        column.pop("description", None)


def _component(obj: Json) -> str:
    chart: str = obj["metadata"]["labels"]["helm.sh/chart"]
    return _COMPONENTS[chart.rpartition("-")[0]]


def _config_map(objects: Sequence[Json], name: str) -> Json:
    found: Json = next(one for one in objects if _key(one) == ("ConfigMap", name))["data"]
    return found


def _differing(plain: Sequence[Json], revisioned: Sequence[Json]) -> Iterator[Json]:
    """Yield what an install without a revision makes otherwise than by another name."""
    expected = [_unrevisioned(one) for one in revisioned]
    for one in plain:
        obj = _with_blanks(one)
        if obj not in expected:
            yield obj


def _values(objects: Sequence[Json], key: str) -> Json:
    """Return values as the charts have them, before anybody has chosen anything."""
    found = _with_blanks(json.loads(_config_map(objects, f"values-{_REVISION}")[key]))
    if key == "merged-values":
        found["autoscaleMin"] = 1
        del found["pilot"]["autoscaleMin"]
    return found


def record(istioctl: str) -> Json:
    """Return the description of an istioctl's minor."""
    objects = _generated(istioctl, f"--revision={_REVISION}")
    mesh = yaml.safe_load(_config_map(objects, f"istio-{_REVISION}")["mesh"])
    values = _values(objects, "merged-values")
    plain = [_without_text(one) for one in _generated(istioctl)]
    described = [_without_text(_with_blanks(one)) for one in objects]
    return {
        "client": _version(istioctl),
        "mesh": _with_blanks(mesh),
        "values": values,
        "objects": [{"component": _component(one), "object": one} for one in described],
        "unrevisioned": list(_differing(plain, described)),
    }


def main(istioctl: str, folder: str) -> None:
    """Write one file for the minor."""
    description = record(istioctl)
    major, minor, *_ = description["client"]["version"].split(".")
    file = Path(folder) / f"{major}-{minor}.json"
    file.write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
