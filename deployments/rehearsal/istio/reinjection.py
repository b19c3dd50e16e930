"""
A pod that was injected before: what was added is taken out, so that a second time changes nothing.

A pod copied from a running one, or one that two webhooks have seen, must end as if it were new.
"""

import json
from typing import Any, Final, cast

from deployments.rehearsal.cluster.objects import Json, copied
from deployments.rehearsal.istio import names

AUTO: Final = "auto"  # the image of a proxy that leaves it to the injector


def stripped(pod: Json) -> Json:
    """Return a copy without what an earlier injection added, so that a second one changes nothing."""
    bare = copied(pod)
    metadata = cast("Json", bare.setdefault("metadata", {}))
    annotations = cast("dict[str, str]", metadata.get("annotations") or {})
    added = _read_status(annotations.get(names.STATUS, ""))
    overrides = _read_status(annotations.get(names.OVERRIDES, ""))
    spec = cast("Json", bare.setdefault("spec", {}))
    for key in ("initContainers", "containers", "volumes"):
        gone = set(cast("list[str]", added.get(key) or []))
        if key in spec:
            spec[key] = [one for one in named(spec, key) if one["name"] not in gone]
        if gone and overrides.get(key):
            spec[key] = [*named(spec, key), *named(overrides, key)]
    if not added:
        _remember_overrides(bare)
    return bare


def _remember_overrides(pod: Json) -> None:
    """Write down what a pod says of its own proxy, for a second injection to find."""
    spec = pod["spec"]
    found: dict[str, Any] = {}
    for key in ("containers", "initContainers"):
        said = [
            {name: value for name, value in one.items() if (name, value) != ("image", AUTO)}
            for one in named(spec, key)
            if one["name"] == names.PROXY
        ]
        if said:
            found[key] = said
    if found:
        annotations = cast("dict[str, str]", pod["metadata"].get("annotations") or {})
        marks = {names.OVERRIDES: json.dumps(found, separators=(",", ":"))}
        pod["metadata"]["annotations"] = {**annotations, **marks}


def named(tree: Json, key: str) -> list[Json]:
    """Return a list of things with names, which may be missing."""
    return cast("list[Json]", tree.get(key) or [])


def _read_status(text: str) -> Json:
    try:
        found: object = json.loads(text) if text else {}
    except ValueError:
        return {}
    return cast("Json", found) if isinstance(found, dict) else {}
