"""`x precheck`: whether Kubernetes is new enough, and whether we may create what an install does."""

from collections.abc import Iterator
from typing import Any, Final

from deployments.rehearsal.istioctl import messages
from deployments.rehearsal.istioctl.context import Context
from deployments.rehearsal.istioctl.errors import CommandError
from deployments.rehearsal.istioctl.messages import Level, Message

Json = dict[str, Any]

_OLDEST: Final = 30  # of both minors
_NEEDED: Final = (
    ("", "namespaces", False),
    ("rbac.authorization.k8s.io", "clusterroles", False),
    ("rbac.authorization.k8s.io", "clusterrolebindings", False),
    ("apiextensions.k8s.io", "customresourcedefinitions", False),
    ("rbac.authorization.k8s.io", "roles", True),
    ("", "serviceaccounts", True),
    ("", "services", True),
    ("apps", "deployments", True),
    ("", "configmaps", True),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", False),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", False),
)  # fmt: skip
_UNSAFE: Final = (
    "Issues found when checking the cluster. Istio may not be safe to install or upgrade.\n"
    f"See {messages.DOCUMENTATION} for more information about causes and resolutions."
)
_SAFE: Final = (
    "✔ No issues found when checking the cluster. Istio is safe to install or upgrade!\n"
    "  To get started, check out https://istio.io/latest/docs/setup/getting-started/."
)


def precheck(context: Context) -> None:
    """Print what was found. Raises CommandError if any of it is a warning or worse."""
    found = [] if context.options.has("skip-controlplane") else list(_findings(context))
    least = messages.level(context.options.text("output-threshold"), Level.WARNING)
    shown = [one for one in found if one.level >= least]
    form, pages = context.options.text("output", "log"), messages.explained(context.version)
    printed = messages.printed(shown, form, where=pages, is_coloured=True)
    if shown:
        context.terminal.say(printed)
    else:
        context.terminal.complain(_SAFE)
    if any(one.level >= Level.WARNING for one in found):
        raise CommandError(_UNSAFE)


def _findings(context: Context) -> Iterator[Message]:
    yield from _too_old(context)
    for group, resource, is_namespaced in _NEEDED:
        namespace = context.istio_namespace if is_namespaced else ""
        if not _may_create(context, group, resource, namespace):
            path = f"{group}/v1, Resource={resource}" if group else f"/v1, Resource={resource}"
            yield Message(
                code="IST0141",
                level=Level.ERROR,
                text=f"Missing required permission to create resource {resource} ({path})",
            )


def _too_old(context: Context) -> Iterator[Message]:
    found = context.api.get("/version")
    minor = "".join(letter for letter in str(found.get("minor", "")) if letter.isdigit())
    if minor and int(minor) < _OLDEST:
        yield Message(
            code="IST0142",
            level=Level.ERROR,
            text=(
                f'The Kubernetes Version "{found.get("gitVersion")}" is lower than the minimum '
                f"version: v1.{_OLDEST}"
            ),
        )


def _may_create(context: Context, group: str, resource: str, namespace: str) -> bool:
    wanted = {
        "verb": "create", "version": "v1", "group": group, "resource": resource,
        "namespace": namespace,
    }  # fmt: skip
    answer = context.api.create(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        },
    )
    return bool(answer.get("status", {}).get("allowed"))
