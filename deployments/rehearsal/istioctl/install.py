"""`manifest generate` and `install`."""

import re
from collections.abc import Sequence
from typing import Any, Final

from deployments.rehearsal.istioctl import (
    configuration,
    manifest,
    pruning,
    readiness,
    tag_objects,
    tags,
    trees,
)
from deployments.rehearsal.istioctl.configuration import Configuration
from deployments.rehearsal.istioctl.context import MANAGER, Context
from deployments.rehearsal.istioctl.descriptions import DEFAULT, Described
from deployments.rehearsal.istioctl.errors import CommandError, Quit
from deployments.rehearsal.istioctl.objects import labels_of
from deployments.rehearsal.istioctl.paths import path_of

Json = dict[str, Any]

_PATIENCE: Final = 300.0
_REVISION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NOT_PRUNED: Final = "install.operator.istio.io/owning-resource-not-pruned"
_SIGNS: Final = {"Base": "⛵️", "Pilot": "🧠", "IngressGateways": "🛬"}
_TITLES: Final = {"Base": "Istio core", "Pilot": "Istiod", "IngressGateways": "Ingress gateways"}


def generate(context: Context) -> None:
    """Print what an install would apply."""
    if context.options.arguments:
        raise CommandError(
            f"generate accepts no positional arguments, got {list(context.options.arguments)}"
        )
    found = manifest.objects(context.description, _configuration(context))
    context.terminal.out.write(manifest.printed(found))


def install(context: Context) -> None:
    """Apply everything, wait until it is ready, and see that there is a default revision."""
    wanted = _configuration(context)
    context.api.get("/version")
    _ask_first(context, wanted)
    found = manifest.objects(context.description, wanted)
    if context.options.has("dry-run"):
        _say_done(context, found)
        return
    try:
        _apply_all(context, wanted, found)
    except CommandError as error:
        raise CommandError(f"failed to install manifests: {error}") from error


def _apply_all(context: Context, wanted: Configuration, found: Sequence[Described]) -> None:
    _make_namespace(context, wanted.namespace)
    needs_default = not wanted.names.revision or not tags.default_exists(context)
    owned = [
        Described(component=one.component, object=_owned(context, wanted, one)) for one in found
    ]
    for component in _TITLES:
        _apply(context, component, [one.object for one in owned if one.component == component])
    context.terminal.progress("- Pruning removed resources")
    pruning.prune(context, [one.object for one in owned], labels=_owners(context, wanted))
    if needs_default:
        _make_default(context, wanted)
    context.terminal.progress("✔ Installation complete")


def _configuration(context: Context) -> Configuration:
    options = context.options
    revision = options.text("revision")
    if "revision" in options.values and not _REVISION.fullmatch(revision):
        raise CommandError(f"invalid revision specified: {revision}")
    return configuration.configuration(
        version=context.version,
        files=options.every_part("filename"),
        settings=options.every("set"),
        revision=revision,
    )


def _ask_first(context: Context, wanted: Configuration) -> None:
    if context.options.has("dry-run") or context.options.has("skip-confirmation"):
        return
    question = (
        f'This will install the Istio {context.version} profile "{wanted.profile}" '
        "into the cluster. Proceed? (y/N)"
    )
    if not context.terminal.confirms(question):
        context.terminal.complain("Cancelled.")
        raise Quit(1)


def _say_done(context: Context, found: Sequence[Described]) -> None:
    for component in _TITLES:
        if any(one.component == component for one in found):
            _say_installed(context, component)
    context.terminal.progress("✔ Installation complete")


def _make_namespace(context: Context, name: str) -> None:
    if context.api.get_or_none(path_of("v1", "Namespace", name=name)) is None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        context.api.create(path_of("v1", "Namespace"), body)


def _owners(context: Context, wanted: Configuration, component: str = "") -> dict[str, str]:
    """Return the labels by which an install knows its own."""
    labels = {
        "operator.istio.io/managed": "Reconcile",
        "operator.istio.io/version": context.version,
        "install.operator.istio.io/owning-resource-namespace": wanted.namespace,
        tag_objects.REVISION_LABEL: wanted.names.revision or DEFAULT,
    }
    return labels | ({pruning.COMPONENT_LABEL: component} if component else {})


def _owned(context: Context, wanted: Configuration, one: Described) -> Json:
    metadata = one.object["metadata"]
    owners = _owners(context, wanted, one.component)
    labels = {**labels_of(one.object), **owners}
    return {**one.object, "metadata": {**metadata, "labels": labels}}


def _apply(context: Context, component: str, objects: Sequence[Json]) -> None:
    if not objects:
        return
    title = _TITLES[component]
    context.terminal.progress(f"- Processing resources for {title}.")
    try:
        for obj in objects:
            _apply_one(context, obj)
        readiness.wait(
            context,
            objects,
            seconds=context.options.seconds("readiness-timeout", _PATIENCE),
            named=title,
        )
    except CommandError as error:
        context.terminal.progress(f"✘ {title} encountered an error: {error}")
        raise
    _say_installed(context, component)


def _say_installed(context: Context, component: str) -> None:
    context.terminal.progress(f"✔ {_TITLES[component]} installed {_SIGNS[component]}")


def _apply_one(context: Context, obj: Json) -> None:
    try:
        context.api.apply(obj, manager=MANAGER)
    except CommandError as error:
        metadata = obj["metadata"]
        name = f"{obj['kind']}/{metadata.get('namespace', '')}/{metadata['name']}"
        raise CommandError(
            f"failed to update resource with server-side apply for obj {name}: {error}"
        ) from error


def _make_default(context: Context, wanted: Configuration) -> None:
    """Make the default tag, as a part of the install that no later one prunes."""
    revision = wanted.names.revision or DEFAULT
    every = "sidecarInjectorWebhook.enableNamespacesByDefault"
    labels = _owners(context, wanted) | {_NOT_PRUNED: "true"}
    wish = tag_objects.Wish(
        tag=DEFAULT,
        revision=revision,
        namespace=wanted.namespace,
        is_for_every_namespace=bool(trees.at(wanted.original_values, every)),
        labels=labels,
    )
    for obj in tags.objects(context, wish):
        context.api.apply(obj, manager=MANAGER)
