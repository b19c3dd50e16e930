"""
`analyze`: a few of the real one's findings, those about injection.

IST0102 (a namespace that is not injected), IST0103 (a pod without its sidecar, in enabled
namespaces only), IST0123 (two labels), IST0139 (an injector whose Service is gone).
"""

from collections.abc import Iterator
from typing import Any, Final

from deployments.rehearsal.istioctl import messages
from deployments.rehearsal.istioctl.context import Context
from deployments.rehearsal.istioctl.errors import CommandError, Quit
from deployments.rehearsal.istioctl.messages import Level, Message
from deployments.rehearsal.istioctl.objects import annotations_of, labels_of, parts
from deployments.rehearsal.istioctl.paths import path_of

Json = dict[str, Any]

_FOUND: Final = 79
_SYSTEM: Final = frozenset({
    "kube-system", "kube-public", "kube-node-lease", "local-path-storage",
})  # fmt: skip
_ADMISSION: Final = "admissionregistration.k8s.io/v1"


def analyze(context: Context) -> None:
    """Print findings; in the log format, errors among them decide the exit code."""
    form = context.options.text("output", "log").lower()
    least = messages.level(context.options.text("output-threshold"), Level.INFO)
    worst = messages.level(context.options.text("failure-threshold"), Level.ERROR)
    found = sorted(_findings(context), key=lambda one: (-one.level, one.code, one.origin))
    shown = [one for one in found if one.level >= least]
    pages = messages.explained(context.version, asked_by="istioctl-analyze")
    context.terminal.say(messages.printed(shown, form, where=pages, is_coloured=False))
    where = "all namespaces" if _is_everywhere(context) else f"namespace: {_where(context)}"
    if not shown:
        context.terminal.complain(f"✔ No validation issues found when analyzing {where}.")
    if form == "log" and any(one.level >= worst for one in found):
        context.terminal.complain(
            f"Error: Analyzers found issues when analyzing {where}.\n"
            f"See {messages.DOCUMENTATION} for more information about causes and resolutions."
        )
        raise Quit(_FOUND)


def _is_everywhere(context: Context) -> bool:
    return context.options.has("all-namespaces")


def _where(context: Context) -> str:
    return context.namespace or context.api.namespace


def _findings(context: Context) -> Iterator[Message]:
    for namespace in context.api.items("/api/v1/namespaces"):
        name = namespace["metadata"]["name"]
        if name in _SYSTEM or not (_is_everywhere(context) or name == _where(context)):
            continue
        yield from _of_namespace(context, namespace)
    yield from _dead_injectors(context)


def _of_namespace(context: Context, namespace: Json) -> Iterator[Message]:
    name = namespace["metadata"]["name"]
    labels = labels_of(namespace)
    injection, revision = labels.get("istio-injection"), labels.get("istio.io/rev")
    origin = f"Namespace {name}"
    if injection and revision:
        yield Message(
            code="IST0123",
            level=Level.WARNING,
            origin=origin,
            text=(
                'The namespace has more than one injection label: "istio-injection" and '
                '"istio.io/rev". The former has precedence over the latter.'
            ),
        )
    if not injection and not revision and name != context.istio_namespace:
        yield Message(
            code="IST0102",
            level=Level.INFO,
            origin=origin,
            text=(
                "The namespace is not enabled for Istio injection. Run 'kubectl label namespace "
                f"{name} istio-injection=enabled' to enable it, or 'kubectl label namespace {name} "
                "istio-injection=disabled' to explicitly mark it as not needing injection."
            ),
        )
    if injection == "enabled":
        yield from _bare_pods(context, name)


def _bare_pods(context: Context, namespace: str) -> Iterator[Message]:
    for pod in context.api.items(path_of("v1", "Pod", namespace=namespace)):
        if not _has_proxy(pod):
            name = pod["metadata"]["name"]
            yield Message(
                code="IST0103",
                level=Level.WARNING,
                origin=f"Pod {namespace}/{name}",
                text=(
                    f"The pod {namespace}/{name} is missing the Istio proxy. This can often be "
                    "resolved by restarting or redeploying the workload."
                ),
            )


def _has_proxy(pod: Json) -> bool:
    spec: Json = pod.get("spec") or {}
    marks = {**annotations_of(pod), **labels_of(pod)}
    containers = [*parts(spec, "containers"), *parts(spec, "initContainers")]
    return (
        marks.get("sidecar.istio.io/inject") == "false"
        or bool(spec.get("hostNetwork"))
        or any(one["name"] == "istio-proxy" for one in containers)
    )


def _dead_injectors(context: Context) -> Iterator[Message]:
    path = path_of(_ADMISSION, "MutatingWebhookConfiguration")
    for one in context.api.items(path, labelSelector="app=sidecar-injector"):
        for hook in parts(one, "webhooks"):
            service = hook["clientConfig"].get("service")
            if service and not _exists(context, service):
                yield Message(
                    code="IST0139",
                    level=Level.ERROR,
                    origin=f"MutatingWebhookConfiguration {one['metadata']['name']}",
                    text=(
                        "The Mutating Webhook Configuration is invalid: Injector refers to a "
                        f"control plane service that does not exist: {service['name']}."
                    ),
                )
                break


def _exists(context: Context, service: Json) -> bool:
    path = path_of("v1", "Service", namespace=service["namespace"], name=service["name"])
    try:
        return context.api.get_or_none(path) is not None
    except CommandError:
        return True
