"""
Gateways: which of them the upgrade restarts, when, and which are left to people.

Istio deploys Gateway API gateways itself, and replaces their pods the moment that their revision
changes: by their own label, else by their namespace's `istio.io/rev`, else by the default tag.
`istio-injection` says nothing to them. Injected gateways are workloads like others, but the whole
world notices their restart.
"""

from collections.abc import Iterator, Mapping

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import restart, warns
from tasks.domain.findings import Finding
from tasks.domain.injection import followed
from tasks.domain.inventory import MOVABLE, Gateway, Workload, is_injectable
from tasks.domain.revision import DEFAULT, REVISION_LABEL


def gateway_findings(situation: Situation) -> Iterator[Finding]:
    """Say of each gateway what makes its pods new ones."""
    inspected, moving = situation.inspected(), situation.moving()
    for gateway in situation.inventory.gateways:
        space = inspected.get(gateway.namespace)
        if space is not None:
            yield from _gateway(situation, gateway, space.labels.get(REVISION_LABEL), moving)
    yield from _injected(situation, moving)


def _gateway(
    situation: Situation, gateway: Gateway, of_namespace: str | None, moving: frozenset[str]
) -> Iterator[Finding]:
    own = gateway.labels.get(REVISION_LABEL)
    subject = f"{gateway.namespace}/Gateway/{gateway.name}"
    follows = own or of_namespace or DEFAULT
    if situation.inventory.resolve(follows) == situation.canary:
        return  # it has moved
    if not own and gateway.namespace in moving:
        yield _restarts_with_namespace(subject, gateway)
    elif follows in situation.moves_tags:
        yield _restarts_with_tag(subject, gateway, follows)
    elif situation.inventory.resolve(follows) == situation.old:
        yield _by_hand(situation, subject, gateway, follows)
    elif own and not situation.reaches(own):
        yield _unknown(situation, subject, gateway, own)


def _restarts_with_namespace(subject: str, gateway: Gateway) -> Finding:
    return warns(
        "gateway-restarts-with-namespace",
        subject,
        fact=(
            f"Gateway {gateway.name} has no label of its own, so Istio replaces its pods "
            f"the moment that namespace {gateway.namespace} is relabelled."
        ),
        todo=(
            f"Label the Gateway {REVISION_LABEL} beforehand, if it shall not move with its "
            "namespace."
        ),
    )


def _restarts_with_tag(subject: str, gateway: Gateway, tag: str) -> Finding:
    return warns(
        "gateway-restarts-with-tag",
        subject,
        fact=(
            f"Gateway {gateway.name} in {gateway.namespace} follows tag {tag}, so Istio replaces "
            "its pods the moment that the tag moves."
        ),
        todo=(
            f"Label the Gateway {REVISION_LABEL} with a revision beforehand, if it shall move at "
            "another time."
        ),
    )


def _by_hand(situation: Situation, subject: str, gateway: Gateway, follows: str) -> Finding:
    return warns(
        "gateway-by-hand",
        subject,
        fact=(
            f"Gateway {gateway.name} in {gateway.namespace} follows {follows}, which is the old "
            "revision and does not "
            "move by itself; the run ends before the uninstall while it does."
        ),
        todo=(
            f"Run kubectl -n {gateway.namespace} label gateway {gateway.name} "
            f"{REVISION_LABEL}={situation.canary} "
            "--overwrite once the canary is there; its pods are replaced at once."
        ),
    )


def _unknown(situation: Situation, subject: str, gateway: Gateway, own: str) -> Finding:
    return warns(
        "gateway-unknown-revision",
        subject,
        fact=(
            f"Gateway {gateway.name} in {gateway.namespace} names {own}, which is no revision or "
            "tag that is there, so no istiod cares for it."
        ),
        todo=(
            "Label it with a revision or tag that exists, for example "
            f"{REVISION_LABEL}={situation.old}."
        ),
    )


def _injected(situation: Situation, moving: frozenset[str]) -> Iterator[Finding]:
    workloads = {one.ref: one for one in situation.inventory.workloads}
    labels = {name: one.labels for name, one in situation.inspected().items()}
    for ref, pods in situation.on_old().items():
        workload = workloads.get(ref)
        if workload is None or not any(pod.is_gateway for pod in pods):
            continue
        if ref.kind not in MOVABLE or not is_injectable(workload):
            continue  # what Istio itself deploys is found by its Gateway
        if ref.namespace in moving:
            yield _moves(workload)
        else:
            yield _stays(situation, workload, labels[ref.namespace])


def _moves(workload: Workload) -> Finding:
    ref = workload.ref
    return warns(
        "injected-gateway-restarts",
        ref,
        fact=(
            f"{ref} is an injected gateway, and the run restarts it with the other workloads of "
            f"{ref.namespace}."
        ),
        todo="Put its namespace in a wave of its own, the last one, with --wave.",
    )


def _stays(situation: Situation, workload: Workload, labels: Mapping[str, str]) -> Finding:
    ref = workload.ref
    follows = followed(labels, workload.template_labels)
    if follows in situation.moves_tags:
        todo = f"Run {restart(ref)} after tag {follows} has moved."
    else:
        todo = (
            f"Label its pod template {REVISION_LABEL}={situation.canary} once the canary is "
            "there, which restarts it."
        )
    return warns(
        "injected-gateway-by-hand",
        ref,
        fact=(
            f"{ref} is an injected gateway that no wave moves, for it asks for its revision "
            "itself; a moved tag does not restart it."
        ),
        todo=todo,
    )
