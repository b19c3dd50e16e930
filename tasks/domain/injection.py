"""
Who injects a pod, from the labels alone.

The rules are the selectors of Istio's own webhooks (manifests/charts/istio-control/istio-discovery/
templates/mutatingwebhook.yaml in istio/istio), confirmed on a running mesh.
"""

from collections.abc import Mapping

from tasks.domain.revision import DEFAULT, INJECT_LABEL, INJECTION_LABEL, REVISION_LABEL


def followed(namespace: Mapping[str, str], pod: Mapping[str, str]) -> str | None:
    """
    Return the revision or tag whose injector takes a pod, `default` included; None for nobody.

    Both arguments are labels. The name returned need not exist: then nobody injects, silently.
    """
    if pod.get(INJECT_LABEL) == "false":
        return None
    by_namespace = namespace_follows(namespace)
    if by_namespace is not None or is_closed(namespace):
        return by_namespace
    if own := pod.get(REVISION_LABEL):
        return own
    return DEFAULT if pod.get(INJECT_LABEL) == "true" else None


def namespace_follows(labels: Mapping[str, str]) -> str | None:
    """Return the revision or tag that a namespace as such asks for, None when it asks for none."""
    # istio-injection wins over istio.io/rev, whatever the two say.
    if INJECTION_LABEL in labels:
        return DEFAULT if labels[INJECTION_LABEL] == "enabled" else None
    return labels.get(REVISION_LABEL) or None


def is_closed(labels: Mapping[str, str]) -> bool:
    """Whether the namespace shuts injection out: any `istio-injection` but `enabled` does."""
    return labels.get(INJECTION_LABEL, "enabled") != "enabled"
