"""An istiod bears the label of its own revision; that alone keeps nothing in use."""

from typing import Final

from tasks.domain.inventory import Inventory, Kind
from tasks.domain.removal import uses
from tests.builders import (
    MESH,
    NEW,
    OLD,
    istiod_name,
    moved_inventory,
    namespace,
    ref,
    reports,
    workload,
)
from tests.unit.checks_cases import REV_OLD, found, mesh, names

ISTIOD: Final = workload(istiod_name(OLD), MESH, template_labels=REV_OLD)
IMPOSTOR: Final = workload("old-tool", MESH, template_labels=REV_OLD)


def moved(*workloads: object) -> Inventory:
    return moved_inventory(namespaces=(namespace(MESH, labels={}),), workloads=workloads)


def test_an_istiod_is_known_by_its_control_plane() -> None:
    given = moved()
    assert given.is_istiod(ref(istiod_name(OLD), MESH))
    assert given.is_istiod(ref(istiod_name(NEW), MESH))
    assert not given.is_istiod(ref(istiod_name(OLD), "shop"))
    assert not given.is_istiod(ref(istiod_name(OLD), MESH, Kind.STATEFUL_SET))
    assert not given.is_istiod(ref("cart", MESH))


def test_an_istiod_does_not_ask_for_its_own_revision() -> None:
    assert names(found(mesh(workloads=(*mesh().workloads, ISTIOD)))) == []
    assert names(found(mesh(workloads=(*mesh().workloads, IMPOSTOR)))) == [
        f"WARNS own-labels:{MESH}/Deployment/old-tool"
    ]


def test_an_istiod_does_not_keep_its_own_revision_in_use() -> None:
    given = moved(ISTIOD)
    assert uses(OLD, inventory=given, reports=reports(given)) == ()
    given = moved(IMPOSTOR)
    assert [one.what for one in uses(OLD, inventory=given, reports=reports(given))] == [
        f"the template of {MESH}/Deployment/old-tool is labelled istio.io/rev={OLD}"
    ]
