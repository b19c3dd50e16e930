"""`tag set | generate | list | remove`, and what an install needs of them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

from deployments.rehearsal.istioctl import tag_objects
from deployments.rehearsal.istioctl.context import TAG_MANAGER, Context
from deployments.rehearsal.istioctl.descriptions import DEFAULT
from deployments.rehearsal.istioctl.errors import ApiError, CommandError
from deployments.rehearsal.istioctl.objects import parts
from deployments.rehearsal.istioctl.paths import path_of
from deployments.rehearsal.istioctl.tag_objects import REVISION_LABEL, TAG_LABEL, Wish

Json = dict[str, Any]

_ADMISSION: Final = "admissionregistration.k8s.io/v1"
_INJECTORS: Final = path_of(_ADMISSION, "MutatingWebhookConfiguration")
_CANNOT: Final = "cannot modify tag"


def set_tag(context: Context) -> None:
    """Make a tag, or point it elsewhere."""
    wish = _wish(context)
    made = _checked_objects(context, wish)
    for obj in made:
        try:
            context.api.apply(obj, manager=TAG_MANAGER)
        except ApiError as error:
            raise CommandError(
                "failed to apply tag webhook MutatingWebhookConfiguration to cluster: "
                f"failed to apply tag manifests to cluster: {error}"
            ) from error
    context.terminal.say(
        f'Revision tag "{wish.tag}" created, referencing control plane revision '
        f'"{wish.revision}". To enable injection using this\n'
        f"revision tag, use 'kubectl label namespace <NAMESPACE> istio.io/rev={wish.tag}'"
    )


def generate_tag(context: Context) -> None:
    """Print what `set` would apply."""
    made = _checked_objects(context, _wish(context), changes_nothing=True)
    context.terminal.say("\n---\n".join(yaml.safe_dump(one) for one in made))


def list_tags(context: Context) -> None:
    """Print each revision with its tags, and the namespaces that name a tag."""
    if context.options.arguments:
        raise CommandError("tag list command does not accept arguments")
    rows = _rows(context)
    form = context.options.text("output", "table")
    if not rows:
        context.terminal.say("No Istio revision tags found.")
    elif form == "json":
        context.terminal.say(json.dumps(rows, indent="\t"))
    elif form == "yaml":
        context.terminal.say(yaml.safe_dump(rows))
    elif form == "table":
        _print_table(context, rows)
    else:
        raise CommandError(f"unknown format: {form}")


def remove_tag(context: Context) -> None:
    """Remove a tag. Its validator, where it is the default, stays: so does the real one."""
    tag = _only_argument(context, "must provide a tag for removal", "removal")
    found = [*_services(context, f"{TAG_LABEL}={tag}"), *_injectors(context, f"{TAG_LABEL}={tag}")]
    if not found:
        raise CommandError(
            f'cannot remove tag "{tag}": '
            "cannot find MutatingWebhookConfiguration or Service for tag"
        )
    namespaces = _namespaces(context, tag)
    if namespaces and not context.options.has("skip-confirmation"):
        question = (
            f"Caution, found {len(namespaces)} namespace(s) still injected by tag "
            f'"{tag}": {" ".join(namespaces)}\nProceed with operation? [y/N]'
        )
        if not context.terminal.confirms(question):
            context.terminal.say("Aborting operation.")
            return
    for obj in reversed(found):
        context.api.delete(obj)
    context.terminal.say(f"Revision tag {tag} removed")


def default_exists(context: Context) -> bool:
    """Say whether some revision is the default already."""
    selector = f"app=sidecar-injector,{TAG_LABEL}={DEFAULT}"
    return any(context.api.items(_INJECTORS, labelSelector=selector))


def objects(context: Context, wish: Wish, *, changes_nothing: bool = False) -> list[Json]:
    """Return a tag's objects, made from what its revision's own injector says now."""
    called = tag_objects.called_by(_own_injector(context, wish))
    if called is None:
        raise CommandError(
            "failed to create tag webhook config: could not find sidecar-injector webhook in "
            f'canonical webhook of revision "{wish.revision}"'
        )
    made = [tag_objects.injector(context.description, wish, called)]
    if wish.tag == DEFAULT:
        if not changes_nothing:
            _deactivate_unrevisioned(context)
        policy = _failure_policy(context)
        made.append(tag_objects.validator(context.description, wish, called, failure_policy=policy))
    return [*made, tag_objects.service(context.description, wish)]


def _wish(context: Context) -> Wish:
    tag = _only_argument(context, "must provide a tag for modification", "creation")
    options = context.options
    if "revision" not in options.values:
        raise CommandError('required flag(s) "revision" not set')
    return Wish(
        tag=tag,
        revision=options.text("revision"),
        namespace=context.istio_namespace,
        webhook_name=options.text("webhook-name"),
        is_for_every_namespace=options.has("auto-inject-namespaces"),
    )


def _only_argument(context: Context, missing: str, purpose: str) -> str:
    arguments = context.options.arguments
    if not arguments:
        raise CommandError(missing)
    if len(arguments) > 1:
        raise CommandError(f"must provide a single tag for {purpose}")
    return arguments[0]


def _checked_objects(context: Context, wish: Wish, *, changes_nothing: bool = False) -> list[Json]:
    overwrites = context.options.has("overwrite")
    if not (changes_nothing or overwrites or wish.tag == DEFAULT):
        selector = f"{REVISION_LABEL}={wish.tag},!{TAG_LABEL}"
        if any(_injectors(context, selector)) or any(_istiods(context, selector)):
            raise CommandError(
                f'cannot create revision tag "{wish.tag}": '
                "found existing control plane revision with same name"
            )
    _own_injector(context, wish)
    selector = f"{TAG_LABEL}={wish.tag}"
    exists = any(_services(context, selector)) or any(_injectors(context, selector))
    if exists and not overwrites:
        raise CommandError(f'revision tag "{wish.tag}" already exists, and --overwrite is false')
    return objects(context, wish, changes_nothing=changes_nothing)


def _own_injector(context: Context, wish: Wish) -> Json:
    selector = f"{REVISION_LABEL}={wish.revision},!{TAG_LABEL}"
    services = list(_istiods(context, selector))
    injectors = list(_injectors(context, selector))
    if not (services or injectors):
        raise CommandError(
            f"{_CANNOT}: cannot find MutatingWebhookConfiguration or Service with revision "
            f'"{wish.revision}"'
        )
    if len(services) > 1 or len(injectors) != 1:
        raise CommandError(
            f"{_CANNOT}: found multiple canonical webhooks or services with revision "
            f'"{wish.revision}"'
        )
    return injectors[0]


def _deactivate_unrevisioned(context: Context) -> None:
    found = list(_injectors(context, f"{REVISION_LABEL}={DEFAULT},!{TAG_LABEL}"))
    if len(found) > 1:
        raise CommandError(
            "failed deactivating existing default revision: "
            "expected a single webhook for default revision"
        )
    for one in found:
        context.api.update(tag_objects.deactivated(one))


def _failure_policy(context: Context) -> str | None:
    """Return the policy to write: none where istiod has closed the door already."""
    path = path_of(_ADMISSION, "ValidatingWebhookConfiguration", name=tag_objects.VALIDATOR)
    found = context.api.get_or_none(path)
    if found is None:
        return "Ignore"
    policies = [hook.get("failurePolicy") for hook in parts(found, "webhooks")]
    return None if "Fail" in policies else "Ignore"


def _injectors(context: Context, selector: str) -> Iterator[Json]:
    yield from context.api.items(_INJECTORS, labelSelector=selector)


def _services(context: Context, selector: str) -> Iterator[Json]:
    path = path_of("v1", "Service", namespace=context.istio_namespace)
    yield from context.api.items(path, labelSelector=selector)


def _istiods(context: Context, selector: str) -> Iterator[Json]:
    yield from _services(context, f"{selector},app=istiod")


def _namespaces(context: Context, tag: str) -> list[str]:
    found = context.api.items("/api/v1/namespaces", labelSelector=f"{REVISION_LABEL}={tag}")
    return [one["metadata"]["name"] for one in found]


def _rows(context: Context) -> list[Json]:
    pairs: set[tuple[str, str]] = set()
    for found in (_injectors(context, REVISION_LABEL), _services(context, REVISION_LABEL)):
        for one in found:
            labels = one["metadata"]["labels"]
            pairs.add((labels[REVISION_LABEL], labels.get(TAG_LABEL, "")))
    tagged = {revision for revision, tag in pairs if tag}
    return [
        {"tag": tag, "revision": revision, "namespaces": _namespaces(context, tag)}
        for revision, tag in sorted(pairs)
        if tag or revision not in tagged
    ]


def _print_table(context: Context, rows: Sequence[Json]) -> None:
    lines = [("TAG", "REVISION", "NAMESPACES")]
    lines += [(row["tag"], row["revision"], ",".join(row["namespaces"])) for row in rows]
    tag, revision = (max(len(line[column]) for line in lines) + 1 for column in (0, 1))
    for line in lines:
        context.terminal.say(f"{line[0]:<{tag}}{line[1]:<{revision}}{line[2]}")
