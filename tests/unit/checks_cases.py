"""What the tests of the checks share: a mesh before its upgrade, and ways to look at findings."""

from typing import Final

import msgspec

from tasks.domain.checks import Situation, check
from tasks.domain.findings import Finding, Severity
from tasks.domain.inventory import Inventory
from tasks.domain.rendering import Rendered, RenderedObject
from tasks.domain.revision import DEFAULT, Version
from tests.builders import (
    MESH,
    NEW,
    OLD,
    default_validator,
    injector,
    inventory,
    namespace,
    plane,
    pod,
    reports,
    tag_webhook,
    validator,
    workload,
)

REV_OLD: Final = {"istio.io/rev": OLD}
REV_NEW: Final = {"istio.io/rev": NEW}
TRUE: Final = {"sidecar.istio.io/inject": "true"}
RENDERED: Final = Rendered(
    sha256="a" * 64,
    objects=(
        RenderedObject(
            api_version="apps/v1", kind="Deployment", name=f"istiod-{NEW}", namespace=MESH
        ),
    ),
)
# What is said of every upgrade, however well the mesh is.
ALWAYS: Final = ["left-over-leases", "shared-objects", "tag-moves"]


def mesh(**changes: object) -> Inventory:
    """Build a mesh with one control plane and one workload that follows the default."""
    made = inventory(
        control_planes=(plane(OLD),),
        webhooks=(injector(OLD), validator(OLD), tag_webhook(), default_validator()),
        namespaces=(namespace("shop"), namespace("default", labels={}), namespace(MESH, labels={})),
        workloads=(workload(),),
        pods=(pod("cart-1"), pod("cart-2")),
    )
    return msgspec.structs.replace(made, **changes)


def situation(of: Inventory | None = None, **changes: object) -> Situation:
    """Build the upgrade of a mesh to 1.29.1, to which nothing is denied."""
    given = of or mesh()
    made = Situation(
        inventory=given,
        old=OLD,
        canary=NEW,
        target=Version(1, 29, 1),
        istioctl="1.29.1",
        rendered=RENDERED,
        reports=reports(given),
        moves_tags=(DEFAULT,),
    )
    return msgspec.structs.replace(made, **changes)


def found(of: Inventory | None = None, **changes: object) -> list[Finding]:
    """Return what is found beyond what is said of every upgrade."""
    return [one for one in check(situation(of, **changes)) if one.code not in ALWAYS]


def names(findings: list[Finding]) -> list[str]:
    """Return `SEVERITY code:subject` of each."""
    return [f"{one.severity} {one.name}" for one in findings]


def only(findings: list[Finding], severity: Severity, name: str) -> Finding:
    """Return the one finding that there is, which has to be this one."""
    assert names(findings) == [f"{severity} {name}"]
    return findings[0]
