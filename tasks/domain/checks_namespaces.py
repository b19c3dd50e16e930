"""What namespaces say about injection, and the Istio resources that only one revision sees."""

from collections.abc import Iterator

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import blocks, warns
from tasks.domain.findings import Finding
from tasks.domain.injection import namespace_follows
from tasks.domain.inventory import Namespace
from tasks.domain.revision import DEFAULT, INJECTION_LABEL, REVISION_LABEL


def namespace_findings(situation: Situation) -> Iterator[Finding]:
    """Look at the labels of each namespace that an upgrade could move."""
    for namespace in situation.users():
        yield from _unknown(situation, namespace)
        if INJECTION_LABEL in namespace.labels:
            yield from _closed_or_both(namespace)
    yield from _labelled_configs(situation)


def _unknown(situation: Situation, namespace: Namespace) -> Iterator[Finding]:
    name = namespace_follows(namespace.labels)
    if name is None or situation.reaches(name):
        return
    if name == DEFAULT and situation.inventory.default_revision is None:
        return  # one finding for the missing default tag says it for all
    yield blocks(
        "unknown-revision",
        f"namespace/{namespace.name}",
        fact=(
            f"Namespace {namespace.name} asks for {name}, and no control plane of that revision "
            "or tag is there: "
            "its new pods get no sidecar, silently, or cannot be made at all."
        ),
        todo=(
            f"Run kubectl label namespace {namespace.name} {REVISION_LABEL}={situation.old} "
            "--overwrite, or remove the label."
        ),
    )


def _closed_or_both(namespace: Namespace) -> Iterator[Finding]:
    value, subject = namespace.labels[INJECTION_LABEL], f"namespace/{namespace.name}"
    if REVISION_LABEL in namespace.labels:
        counts = "the default revision injects" if value == "enabled" else "nobody injects"
        yield warns(
            "both-labels",
            subject,
            fact=(
                f"Namespace {namespace.name} has {INJECTION_LABEL}={value} and {REVISION_LABEL}="
                f"{namespace.labels[REVISION_LABEL]}; only {INJECTION_LABEL} counts, so {counts}."
            ),
            todo=(
                f"Remove the label that you do not mean: kubectl label namespace {namespace.name} "
                f"{INJECTION_LABEL}-."
            ),
        )
    if value not in {"enabled", "disabled"}:
        yield warns(
            "injection-value",
            subject,
            fact=(
                f"Namespace {namespace.name} has {INJECTION_LABEL}={value}; anything but enabled "
                "shuts injection out."
            ),
            todo=(
                f"Say {INJECTION_LABEL}=enabled or {INJECTION_LABEL}=disabled, whichever is meant."
            ),
        )


def _labelled_configs(situation: Situation) -> Iterator[Finding]:
    for one in situation.inventory.labelled_configs:
        if one.revision == situation.old:
            yield blocks(
                "config-of-old-revision",
                f"{one.namespace}/{one.kind}/{one.name}",
                fact=(
                    f"{one.kind} {one.name} is labelled {REVISION_LABEL}={one.revision}, so "
                    f"{situation.canary} does not "
                    "see it, and workloads that move would lose what it says."
                ),
                todo=(
                    f"Run kubectl -n {one.namespace} label {one.kind.lower()} {one.name} "
                    f"{REVISION_LABEL}-, so that every revision sees it."
                ),
            )
