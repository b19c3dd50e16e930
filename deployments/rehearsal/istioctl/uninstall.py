"""`uninstall`: removes what is of a revision, and says how many proxies that leaves behind."""

from collections.abc import Sequence
from typing import Any, Final

from deployments.rehearsal.istioctl import istiods, pruning
from deployments.rehearsal.istioctl.context import Context
from deployments.rehearsal.istioctl.descriptions import DEFAULT
from deployments.rehearsal.istioctl.errors import CommandError, Quit
from deployments.rehearsal.istioctl.objects import labels_of
from deployments.rehearsal.istioctl.paths import path_of
from deployments.rehearsal.istioctl.tag_objects import REVISION_LABEL

Json = dict[str, Any]

_ADMISSION: Final = "admissionregistration.k8s.io/v1"
_MANY: Final = 30
_DETACHED: Final = (
    "If you proceed with the uninstall, these proxies will become detached from any control plane "
    "and will not function correctly."
)
_UNKNOWN: Final = (
    "Unable to find any proxies pointing to the {revision} control plane. This may be because the "
    "control plane cannot be connected or there is no {revision} control plane."
)
_DONE: Final = "✔ Uninstall complete"


def uninstall(context: Context) -> None:
    """Remove a revision, or with --purge everything."""
    options = context.options
    revision = options.text("revision") or _chosen_revision(options.every("set"))
    if not (revision or options.has("purge") or options.every("filename")):
        raise CommandError(
            "at least one of the --revision (or --set revision=<revision>), --filename or --purge "
            "flags must be set"
        )
    if options.arguments:
        raise CommandError("istioctl uninstall does not take arguments")
    if revision and revision not in _revisions(context):
        raise CommandError("could not find target revision")
    objects = _objects(context, revision)
    if options.has("purge") or objects:
        _warn(context, revision, objects)
    else:
        context.terminal.say(
            "No resources will be pruned from the cluster. Please double check the input configs\n"
        )
    for obj in objects:
        if options.has("dry-run"):
            context.terminal.say(f"Not pruning object {pruning.shown(obj)} because of dry run.")
        else:
            pruning.delete(context, obj)
    context.terminal.progress(_DONE)


def _chosen_revision(settings: Sequence[str]) -> str:
    given = [one.partition("=")[2] for one in settings if one.startswith("revision=")]
    return given[-1] if given else ""


def _revisions(context: Context) -> set[str]:
    """Return every revision that a webhook configuration names, Istio's or not."""
    found = context.api.items(path_of(_ADMISSION, "MutatingWebhookConfiguration"))
    return {labels_of(one).get(REVISION_LABEL) or DEFAULT for one in found}


def _objects(context: Context, revision: str) -> list[Json]:
    if context.options.has("purge"):
        return pruning.everything(context)
    owner = "install.operator.istio.io/owning-resource-namespace"
    labels = {owner: context.istio_namespace}
    return pruning.of_revision(context, labels | ({REVISION_LABEL: revision} if revision else {}))


def _warn(context: Context, revision: str, objects: Sequence[Json]) -> None:
    options = context.options
    if options.has("purge"):
        lines, is_question = ["All Istio resources will be pruned from the cluster"], True
    else:
        lines, is_question = _consequences(context, revision, objects)
    message = "".join(f"{line}\n" for line in lines)
    if options.has("dry-run") or options.has("skip-confirmation"):
        context.terminal.say(message)
    elif is_question and not context.terminal.confirms(f"{message}Proceed? (y/N)"):
        context.terminal.complain("Cancelled.")
        raise Quit(1)


def _consequences(
    context: Context, revision: str, objects: Sequence[Json]
) -> tuple[list[str], bool]:
    lines: list[str] = []
    if context.options.has("verbose"):
        named = " ".join(f"{one['kind']}: {one['metadata']['name']}." for one in objects)
        lines.append(f"The following resources will be pruned from the cluster: {named}")
    proxies = _proxies_left(context, revision)
    if proxies:
        lines += proxies
    gateways = [
        one["metadata"]["name"]
        for one in objects
        if one["kind"] == "Deployment" and "gateway" in one["metadata"]["name"]
    ]
    if gateways:
        lines.append(
            f"You are about to remove the following gateways: {', '.join(gateways)}. To avoid "
            "downtime, please quit this command and reinstall the gateway(s) with a revision that "
            "is not being removed from the cluster."
        )
    return lines, bool(proxies or gateways)


def _proxies_left(context: Context, revision: str) -> list[str]:
    if not revision:
        return []
    # For `default` the real one asks the istiods of all revisions.
    asked = "" if revision == DEFAULT else revision
    try:
        rows = istiods.rows(context, revision=asked)
    except CommandError:
        return [_UNKNOWN.format(revision=revision)]
    names = [str(row["proxy"]) for row in rows]
    if not names:
        return []
    count = f"There are still {len(names)} proxies pointing to the control plane revision"
    return [f"{count} {revision}", *(names if len(names) <= _MANY else ()), _DETACHED]
