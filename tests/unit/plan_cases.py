"""What the tests of plans share: a mesh, what is asked for, and the draft that follows."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tasks.domain.drafting import Draft
from tasks.domain.inventory import Inventory
from tasks.domain.parameters import UpgradeParameters, parse
from tasks.domain.plan import Action, Install, NamespaceMove, Plan, WorkloadMove
from tasks.domain.rendering import InstallRequest
from tests.builders import NEW, OLD, inventory, namespace, plane, pod, ref, workload

ENABLED: Final = {"istio-injection": "enabled"}
REV_OLD: Final = {"istio.io/rev": OLD}
REV_NEW: Final = {"istio.io/rev": NEW}
INSTALL: Final = Install(
    request=InstallRequest(revision=NEW), istioctl="1.29.1", manifest_sha256="a" * 64
)


def asked(**changes: object) -> UpgradeParameters:
    """Ask for an upgrade to 1.29.1."""
    return parse({"to": "1.29.1", **changes})


def mesh(**changes: object) -> Inventory:
    """Build a mesh before its upgrade: `shop` follows the default, with one workload."""
    made = inventory(
        control_planes=(plane(OLD),),
        namespaces=(namespace("shop"),),
        workloads=(workload(),),
        pods=(pod("cart-1"), pod("cart-2")),
    )
    return msgspec.structs.replace(made, **changes)


def drawn_from(
    of: Inventory | None = None,
    *,
    old: str = OLD,
    carried: Mapping[str, Mapping[str, str]] | None = None,
    parameters: UpgradeParameters | None = None,
    **changes: object,
) -> Draft:
    """Return what a plan is drawn from; the other keywords are what is asked for."""
    return Draft(
        inventory=of or mesh(),
        parameters=parameters or asked(**changes),
        old=old,
        install=INSTALL,
        carried=carried or {},
    )


def spaces(*names: str, **changes: object) -> Inventory:
    """Build a mesh of namespaces that follow the default, and nothing in them."""
    given = tuple(namespace(name) for name in names)
    return mesh(namespaces=given, workloads=(), pods=(), **changes)


def space_move(name: str = "shop", *workloads: WorkloadMove, **changes: object) -> NamespaceMove:
    """Build the move of a namespace that follows the default."""
    made = NamespaceMove(name=name, before=ENABLED, after=ENABLED, workloads=workloads)
    return msgspec.structs.replace(made, **changes)


def cart_move(**changes: object) -> WorkloadMove:
    """Build the restart of a workload with two pods."""
    made = WorkloadMove(ref=ref(), action=Action.RESTART, pods=2)
    return msgspec.structs.replace(made, **changes)


def plan(**changes: object) -> Plan:
    """Build a plan that moves nothing."""
    made = Plan(
        old_revision=OLD,
        old_version="1.28.3",
        new_revision=NEW,
        new_version="1.29.1",
        install=INSTALL,
    )
    return msgspec.structs.replace(made, **changes)
