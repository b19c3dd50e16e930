"""
Istio's webhook configurations, judged by the Service that they call, never by their labels alone.

A webhook that fails closed and whose Service does not answer stops pods from being made, or
Istio's resources from being written.
"""

from collections.abc import Iterator

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import blocks, warns
from tasks.domain.findings import Finding
from tasks.domain.injection import followed
from tasks.domain.inventory import Webhook, WebhookKind
from tasks.domain.revision import DEFAULT, REVISION_LABEL


def webhook_findings(situation: Situation) -> Iterator[Finding]:
    """Look at each active webhook configuration that belongs to a revision or a tag."""
    used = _used_names(situation)
    for hook in situation.inventory.webhooks:
        if hook.is_deactivated or _name(hook) is None:
            continue
        if problem := _problem(situation, hook):
            yield _broken(situation, hook, problem, is_used=_name(hook) in used)
        if hook.revision == situation.old and not hook.has_ca_bundle:
            yield _no_bundle(hook)


def _name(hook: Webhook) -> str | None:
    return hook.tag or hook.revision


def _used_names(situation: Situation) -> set[str | None]:
    """Return the revisions and tags that somebody asks for, and those that always count."""
    inventory = situation.inventory
    spaces = {one.name: one.labels for one in inventory.namespaces}
    names: set[str | None] = {situation.old, DEFAULT}
    names |= {followed(labels, {}) for labels in spaces.values()}
    names |= {
        followed(spaces.get(one.ref.namespace, {}), one.template_labels)
        for one in inventory.workloads
    }
    names |= {
        followed(spaces.get(one.namespace, {}), one.labels)
        for one in inventory.pods
        if not one.is_over
    }
    return names | {one.labels.get(REVISION_LABEL) for one in inventory.gateways}


def _problem(situation: Situation, hook: Webhook) -> str | None:
    """Say why a webhook cannot be answered, None if it can."""
    reached = {
        f"{one.namespace}/{one.service}": one.ready_endpoints
        for one in situation.inventory.control_planes
    }
    if not hook.services:
        return "calls no Service of this cluster"
    for service in hook.services:
        if service not in reached:
            return f"calls Service {service}, which belongs to no istiod that is there"
        if reached[service] is None:
            return f"calls Service {service}, whose endpoints could not be read"
        if reached[service] == 0:
            return f"calls Service {service}, which has no ready endpoint"
    return None


def _broken(situation: Situation, hook: Webhook, problem: str, *, is_used: bool) -> Finding:
    subject = f"{hook.kind}/{hook.name}"
    if hook.revision == situation.canary and situation.adopted:
        return warns(
            "canary-unfinished",
            subject,
            fact=(
                f"{hook.name} {problem}; an earlier run's install of {situation.canary} seems not "
                "to be complete."
            ),
            todo=(
                "Nothing; the install is repeated, and the canary is verified before any "
                "namespace moves."
            ),
        )
    if hook.kind is WebhookKind.VALIDATING:
        return blocks(
            "validator-broken",
            subject,
            fact=(
                f"{hook.name} {problem}, so every write of an Istio resource that it looks at "
                "fails."
            ),
            todo=_repair(situation, hook),
        )
    if is_used:
        return blocks(
            "injector-broken",
            subject,
            fact=(
                f"{hook.name} {problem}, so pods that it should inject cannot be made, and a "
                "restart would lose them."
            ),
            todo=_repair(situation, hook),
        )
    return warns(
        "stale-webhook",
        subject,
        fact=(
            f"{hook.name} {problem}; nothing asks for it now, but whatever asks for {_name(hook)} "
            "would get no pods."
        ),
        todo=_repair(situation, hook),
    )


def _repair(situation: Situation, hook: Webhook) -> str:
    if hook.tag or hook.name.startswith("istiod-default-validator"):
        tag = hook.tag or DEFAULT
        return f"Run istioctl tag set {tag} --revision {situation.old} --overwrite."
    return (
        f"Bring istiod of revision {hook.revision} back, or, if nothing needs it, "
        f"kubectl delete {hook.kind.lower()} {hook.name}."
    )


def _no_bundle(hook: Webhook) -> Finding:
    return warns(
        "empty-ca-bundle",
        f"{hook.kind}/{hook.name}",
        fact=(
            f"{hook.name} has no CA bundle in at least one entry, so the API server cannot trust "
            "who answers it."
        ),
        todo=f"Restart istiod of revision {hook.revision}, which writes its bundle when it starts.",
    )
