"""Revision tags, `default` among them: which move, what follows them, and which stay behind."""

from collections.abc import Iterator

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import informs, listing, warns
from tasks.domain.findings import Finding
from tasks.domain.injection import followed, namespace_follows
from tasks.domain.inventory import Tag
from tasks.domain.revision import DEFAULT, REVISION_LABEL


def tag_findings(situation: Situation) -> Iterator[Finding]:
    """Look at each tag, and at the one that should be there."""
    tags = situation.inventory.tags
    if all(tag.name != DEFAULT for tag in tags):
        yield _no_default(situation)
    for tag in tags:
        yield from _disagreement(situation, tag)
        if tag.revision == situation.old and tag.name not in situation.moves_tags:
            yield _stays(tag)
    for name in situation.moves_tags:
        yield _moves(situation, name)


def _no_default(situation: Situation) -> Finding:
    needing = [one.name for one in situation.users() if namespace_follows(one.labels) == DEFAULT]
    needed = f", which {listing(needing)} ask for" if needing else ""
    return warns(
        "no-default-tag",
        f"tag/{DEFAULT}",
        fact=(
            f"There is no default tag{needed}; installing {situation.canary} makes one that "
            "points to itself at once, "
            "and until then no revision is sure to lead."
        ),
        todo=(
            f"Run istioctl tag set {DEFAULT} --revision {situation.old}, so that the default "
            "moves when you say so."
        ),
    )


def _disagreement(situation: Situation, tag: Tag) -> Iterator[Finding]:
    plane = situation.inventory.control_plane(tag.revision)
    if plane is not None and tag.service != f"{plane.namespace}/{plane.service}":
        yield warns(
            "tag-disagrees",
            f"tag/{tag.name}",
            fact=(
                f"Tag {tag.name} is labelled {tag.revision}, but its webhooks call "
                f"{tag.service or 'no Service'}."
            ),
            todo=f"Run istioctl tag set {tag.name} --revision {tag.revision} --overwrite.",
        )


def _stays(tag: Tag) -> Finding:
    return warns(
        "tag-stays",
        f"tag/{tag.name}",
        fact=(
            f"Tag {tag.name} points to {tag.revision} and is not to be moved, so the run ends "
            "before the uninstall."
        ),
        todo=(
            f"Add {tag.name} to the tags to move, or remove it with istioctl tag remove {tag.name}."
        ),
    )


def _moves(situation: Situation, name: str) -> Finding:
    followers = _followers(situation, name)
    who = f"it is followed by {listing(followers)}" if followers else "nothing follows it"
    return informs(
        "tag-moves",
        f"tag/{name}",
        fact=f"Tag {name} will point to {situation.canary}; {who}.",
        todo="Nothing; the run moves it after the last wave, and a rollback puts it back.",
    )


def _followers(situation: Situation, tag: str) -> list[str]:
    inspected = situation.inspected()
    namespaces = [
        f"namespace {name}"
        for name, one in inspected.items()
        if namespace_follows(one.labels) == tag
    ]
    workloads = [
        str(one.ref)
        for one in situation.inventory.workloads
        if (space := inspected.get(one.ref.namespace)) is not None
        and namespace_follows(space.labels) is None
        and followed(space.labels, one.template_labels) == tag
    ]
    gateways = [
        f"Gateway {one.namespace}/{one.name}"
        for one in situation.inventory.gateways
        if one.labels.get(REVISION_LABEL) == tag
    ]
    return [*sorted(namespaces), *sorted(workloads), *sorted(gateways)]
