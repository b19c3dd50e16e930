"""What the new manifest would install: nothing but a second istiod and what all revisions share."""

from collections.abc import Iterator

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import blocks, informs, listing
from tasks.domain.findings import Finding
from tasks.domain.rendering import Rendered, RenderedObject


def manifest_findings(situation: Situation) -> Iterator[Finding]:
    """Look for anything in the manifest that would change in place what serves traffic now."""
    rendered = situation.rendered
    if rendered is None:
        yield blocks(
            "not-rendered",
            f"revision/{situation.canary}",
            fact="The new manifest was not rendered, so what an install would change is unknown.",
            todo="Make istioctl manifest generate work with the same overlays and --set values.",
        )
        return
    for one in rendered.objects:
        yield from _in_place(situation, one)
    yield from _said(rendered)


def _in_place(situation: Situation, rendered: RenderedObject) -> Iterator[Finding]:
    what = _kind_of(situation, rendered)
    if what is None:
        return
    code, why, component = what
    yield blocks(
        code,
        f"{rendered.namespace}/{rendered.kind}/{rendered.name}",
        fact=f"The manifest has {rendered.kind} {rendered.name}: {why}.",
        todo=f"Use profile=minimal, and disable {component} in the overlay.",
    )


def _kind_of(situation: Situation, rendered: RenderedObject) -> tuple[str, str, str] | None:
    """Return code, reason and component of an object that does not belong to a canary."""
    name = rendered.name
    if rendered.kind == "Deployment" and name != f"istiod-{situation.canary}":
        if name.startswith("istiod"):
            return "renders-istiod", "the install would change another istiod in place", "it"
        return "renders-gateway", "the install would upgrade a gateway in place", "gateways"
    if rendered.kind != "DaemonSet":
        return None
    every_node = "it runs once on every node for all revisions, and the install would replace it"
    if "ztunnel" in name:
        return "renders-ztunnel", every_node, "ztunnel"
    if "cni" in name:
        return "renders-cni", every_node, "cni"
    return "renders-daemon-set", every_node, "what renders it"


def _said(rendered: Rendered) -> Iterator[Finding]:
    if rendered.warnings:
        yield informs(
            "istioctl-said",
            "istioctl",
            fact=f"Of these overlays and values istioctl said: {listing(rendered.warnings)}",
            todo="Read it, and change the overlays if it concerns you.",
        )
