"""
The objects of a revision tag: an injector's webhooks under the tag's name, and a Service.

For the tag `default` also the webhooks of the default revision, and the validator. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from deployments.rehearsal.istioctl.descriptions import (
    DEFAULT,
    USUAL_NAMESPACE,
    Description,
    Names,
)

Json = dict[str, Any]

REVISION_LABEL: Final = "istio.io/rev"
TAG_LABEL: Final = "istio.io/tag"
VALIDATOR: Final = "istiod-default-validator"
# In this order: by the namespace's label, by the pod's.
OWN_PREFIXES: Final = ("rev.namespace.", "rev.object.")
INJECTOR_SUFFIX: Final = "sidecar-injector.istio.io"
_OPERATOR: Final = "operator.istio.io"
_NEVER: Final = {"matchLabels": {"istio.io/deactivated": "never-match"}}
_SYSTEM_NAMESPACES: Final = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What a revision's own injector says of how it is called."""

    labels: Mapping[str, str]
    client_config: Json
    reinvocation_policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A tag to be made."""

    tag: str
    revision: str
    namespace: str = USUAL_NAMESPACE
    webhook_name: str = ""
    is_for_every_namespace: bool = False
    labels: Mapping[str, str] | None = None  # the installer's; None: people's own tag


def called_by(injector: Json) -> Called | None:
    """Read a revision's own webhook configuration; None if it injects nothing."""
    for hook in cast("Sequence[Json]", injector.get("webhooks") or ()):
        if str(hook["name"]).endswith(INJECTOR_SUFFIX):
            labels = cast("Json", injector["metadata"].get("labels") or {})
            return Called(
                labels={key: value for key, value in labels.items() if key != "app"},
                client_config=hook["clientConfig"],
                reinvocation_policy=hook.get("reinvocationPolicy", ""),
            )
    return None


def injector(description: Description, wish: Wish, called: Called) -> Json:
    """Return the webhook configuration of a tag."""
    obj = _chart_injector(description, wish.tag, _names(wish))
    for hook in obj["webhooks"]:
        hook["clientConfig"] = called.client_config
        if called.reinvocation_policy:
            hook["reinvocationPolicy"] = called.reinvocation_policy
    if wish.is_for_every_namespace and wish.tag == DEFAULT:
        obj["webhooks"].append(for_every_namespace(obj["webhooks"][0]))
    if wish.webhook_name:
        obj["metadata"]["name"] = wish.webhook_name
    obj["metadata"]["labels"] = _labels(obj["metadata"]["labels"], called.labels, wish)
    return obj


def service(description: Description, wish: Wish) -> Json:
    """Return the Service of a tag."""
    names = replace(_names(wish), revision=wish.revision)
    obj = _chart_service(description, wish.tag, names)
    obj["metadata"]["labels"] = _labels(obj["metadata"]["labels"], {}, wish)
    return obj


def validator(
    description: Description, wish: Wish, called: Called, *, failure_policy: str | None
) -> Json:
    """Return the default validator; None leaves the policy to whoever set it."""
    obj = _chart_validator(description, _names(wish))
    hook = obj["webhooks"][0]
    hook["clientConfig"] = {**called.client_config, **hook["clientConfig"]}
    del hook["failurePolicy"]
    if failure_policy is not None:
        hook["failurePolicy"] = failure_policy
    obj["metadata"]["labels"] = _labels(obj["metadata"]["labels"], called.labels, wish)
    return obj


def deactivated(injector: Json) -> Json:
    """Return an injector that matches nothing any more, and can be told from one that was made so."""
    hooks = [
        {**hook, "namespaceSelector": _NEVER, "objectSelector": _NEVER}
        for hook in injector["webhooks"]
    ]
    return {**injector, "webhooks": hooks}


def of_chart(description: Description, tag: str, names: Names) -> list[Json]:
    """Return a tag's objects as the values of an install ask for them."""
    return [_chart_injector(description, tag, names), _chart_service(description, tag, names)]


def for_every_namespace(like: Json) -> Json:
    """Return the webhook that injects where no label says anything."""
    nothing = {"operator": "DoesNotExist"}
    unlabelled = [{"key": key, **nothing} for key in ("istio-injection", REVISION_LABEL)]
    names = {
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": _SYSTEM_NAMESPACES,
    }
    plain = [{"key": key, **nothing} for key in ("sidecar.istio.io/inject", REVISION_LABEL)]
    return {
        **like,
        "name": f"auto.{INJECTOR_SUFFIX}",
        "namespaceSelector": {"matchExpressions": [*unlabelled, names]},
        "objectSelector": {"matchExpressions": plain},
    }


def _names(wish: Wish) -> Names:
    """Return the names by which the charts know the revision: none for `default`."""
    revision = "" if wish.revision == DEFAULT else wish.revision
    return Names(revision=revision, namespace=wish.namespace)


def _chart_injector(description: Description, tag: str, names: Names) -> Json:
    own = description.one("MutatingWebhookConfiguration", "istio-sidecar-injector", names)
    # Those of an install without a revision are the default revision's, all four.
    plain = description.one(
        "MutatingWebhookConfiguration", "istio-sidecar-injector", replace(names, revision="")
    )
    hooks = plain["webhooks"] if tag == DEFAULT else plain["webhooks"][: len(OWN_PREFIXES)]
    for hook in hooks:
        hook["clientConfig"] = own["webhooks"][0]["clientConfig"]
        if hook["name"].startswith(OWN_PREFIXES):
            _select(hook, tag)
    suffix = "" if names.namespace == USUAL_NAMESPACE else f"-{names.namespace}"
    metadata = {
        "name": f"istio-revision-tag-{tag}{suffix}",
        "labels": {**own["metadata"]["labels"], TAG_LABEL: tag},
    }
    return {**own, "metadata": metadata, "webhooks": hooks}


def _select(hook: Json, tag: str) -> None:
    for selector in (hook["namespaceSelector"], hook["objectSelector"]):
        for expression in selector["matchExpressions"]:
            if expression["key"] == REVISION_LABEL and expression["operator"] == "In":
                expression["values"] = [tag]


def _chart_service(description: Description, tag: str, names: Names) -> Json:
    own = description.one("Service", "istiod", names)
    metadata = {
        "name": f"istiod-revision-tag-{tag}",
        "namespace": names.namespace,
        "labels": {**own["metadata"]["labels"], TAG_LABEL: tag},
    }
    return {**own, "metadata": metadata}


def _chart_validator(description: Description, names: Names) -> Json:
    stem = "istio-validator"
    revisioned = f"{stem}-{names.revision}" if names.revision else stem
    own = next(
        one.object
        for one in description.objects(names)
        if one.object["metadata"]["name"] == f"{revisioned}-{names.namespace}"
    )
    labels = {key: value for key, value in own["metadata"]["labels"].items() if key != "release"}
    marks = {TAG_LABEL: DEFAULT, "operator.istio.io/component": "Pilot"}
    hook = {
        **own["webhooks"][0],
        "name": "validation.istio.io",
        "objectSelector": {
            "matchExpressions": [{"key": REVISION_LABEL, "operator": "DoesNotExist"}]
        },
    }
    metadata = {"name": VALIDATOR, "labels": {**labels, **marks}}
    return {**own, "metadata": metadata, "webhooks": [hook]}


def _labels(chart: Mapping[str, str], own: Mapping[str, str], wish: Wish) -> dict[str, str]:
    labels = {**chart, **own, **(wish.labels or {})}
    if wish.labels is not None:
        return labels
    # What people make themselves must not be pruned as a part of an install.
    return {key: value for key, value in labels.items() if _OPERATOR not in key}
