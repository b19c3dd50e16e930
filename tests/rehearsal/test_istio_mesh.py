"""Istio in a cluster: istiods that keep house, proxies that come, stay, are lost and come back."""

import asyncio
import json
from collections.abc import Callable

import pytest

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import Json, name_of
from deployments.rehearsal.cluster.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    PODS,
    SECRETS,
)
from deployments.rehearsal.istio import xds
from deployments.rehearsal.istio.mood import Calm
from tests.mesh.manifests import rejected_by_envoy
from tests.rehearsal.istio_cluster import SYSTEM, IstioCluster, istio, revision_of
from tests.rehearsal.running_cluster import PATIENCE, PLACE, run, workload

OLD, NEW = "1-28-3", "1-29-1"


async def started(mesh: IstioCluster, revision: str = OLD) -> None:
    """Install a revision, and three pods of a namespace that names it."""
    await mesh.install(revision)
    await mesh.label(PLACE, rev=revision)
    await mesh.cluster.deploy("web", replicas=3)
    await mesh.until(lambda: len(mesh.cluster.ready()) == 3)


async def connected(mesh: IstioCluster, revision: str, count: int) -> dict[str, Json]:
    async with asyncio.timeout(PATIENCE):
        while len(rows := await mesh.rows(revision)) != count:  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)
    return rows


def test_every_injected_pod_appears_at_its_revision_s_istiod_and_nowhere_else() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(NEW)
            await started(mesh)

            rows = await connected(mesh, OLD, 3)

            assert set(rows) == {f"{name_of(pod)}.{PLACE}" for pod in mesh.cluster.pods()}
            assert await mesh.rows(NEW) == {}
            assert {revision_of(pod) for pod in mesh.cluster.pods()} == {OLD}

    run(story)


def test_a_proxy_leaves_with_its_pod() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await started(mesh)
            await connected(mesh, OLD, 3)

            await mesh.server.delete(NAMESPACES, PLACE)

            await connected(mesh, OLD, 0)

    run(story)


def test_relabelled_and_restarted_pods_move_to_the_new_revision() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await started(mesh)
            await mesh.install(NEW)
            await mesh.label(PLACE, rev=NEW)

            await mesh.cluster.restart(DEPLOYMENTS, "web")

            await connected(mesh, NEW, 3)
            await connected(mesh, OLD, 0)

    run(story)


def test_after_an_istiod_died_its_proxies_come_back_slowly() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await started(mesh)
            await connected(mesh, OLD, 3)
            (istiod,) = mesh.istiods(OLD)

            await mesh.server.delete(PODS, name_of(istiod), namespace=SYSTEM)

            def replaced() -> bool:
                names = {name_of(pod) for pod in mesh.istiods(OLD)}
                return bool(names) and name_of(istiod) not in names

            await mesh.until(replaced)
            assert len(await mesh.rows(OLD)) < 3
            await connected(mesh, OLD, 3)

    run(story)


def test_pods_stay_ready_while_their_istiod_is_away() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await started(mesh)
            await connected(mesh, OLD, 3)
            (istiod,) = mesh.istiods(OLD)

            await mesh.server.delete(PODS, name_of(istiod), namespace=SYSTEM)

            assert len(mesh.cluster.ready()) == 3

    run(story)


def test_validators_are_opened_by_an_install_and_closed_by_istiod() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(OLD)
            await mesh.make_default(OLD)

            assert mesh.failure_policies() == {"Fail"}

    run(story)


def test_the_default_validator_denies_what_is_wrong() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(OLD)
            await mesh.make_default(OLD)
            resource = mesh.server.registry.of_kind("networking.istio.io/v1", "VirtualService")
            assert resource is not None
            route = [{"destination": {"host": "a"}, "weight": -5}, {"destination": {"host": "b"}}]
            body = {
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "metadata": {"name": "probe"},
                "spec": {"hosts": ["a"], "http": [{"route": route}]},
            }

            with pytest.raises(ApiError, match="weight -5 < 0"):
                await mesh.server.create(resource, body, namespace=PLACE, dry_run=True)

    run(story)


def test_every_namespace_gets_the_root_certificate_that_all_revisions_share() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(OLD)
            await mesh.install(NEW)
            await mesh.server.create(NAMESPACES, {"metadata": {"name": "late"}})

            def root(namespace: str) -> str:
                found = mesh.server.store.get(CONFIGMAPS, "istio-ca-root-cert", namespace)
                return found["data"]["root-cert.pem"] if found else ""

            await mesh.until(lambda: root("late"))
            assert root("late") == root(PLACE) == root(SYSTEM)
            assert mesh.bundle(OLD) == mesh.bundle(NEW)
            assert mesh.server.store.get(SECRETS, "istio-ca-secret", SYSTEM) is not None
            assert root("kube-system") == ""

    run(story)


def test_a_revision_s_leases_name_their_holder_and_nobody_once_it_is_gone() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(OLD)
            (istiod,) = mesh.istiods(OLD)

            def holders() -> set[str]:
                found = mesh.server.store.list(LEASES, SYSTEM)
                return {
                    one["spec"]["holderIdentity"]
                    for one in found
                    if name_of(one).startswith("istio-gateway-")
                }

            assert holders() == {name_of(istiod)}
            await mesh.server.delete(DEPLOYMENTS, "istiod-1-28-3", namespace=SYSTEM)
            await mesh.until(lambda: holders() == {""})

    run(story)


@pytest.mark.parametrize(
    ("port", "path", "status"),
    [
        (8080, "/ready", 200),
        (15014, "/ready", 404),
        (15014, "/version", 200),
        (15014, "/metrics", 200),
        (15014, "/debug/syncz", 200),
        (8080, "/debug/syncz", 200),
        (15014, "/debug/connections", 200),
        (15014, "/debug/registryz", 200),
        (15014, "/debug/registrationz", 404),
    ],
)
def test_pages_are_where_istiod_has_them(port: int, path: str, status: int) -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(OLD)
            (istiod,) = mesh.istiods(OLD)

            assert (await mesh.ask(istiod, path, port=port)).status == status

    run(story)


def test_debug_pages_are_refused_to_strangers_without_a_word() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(OLD)
            (istiod,) = mesh.istiods(OLD)

            answer = await mesh.ask(istiod, "/debug/syncz", peer="10.0.0.1")

            assert (answer.status, answer.body) == (401, b"")
            assert (await mesh.ask(istiod, "/version", peer="10.0.0.1")).status == 200

    run(story)


def test_the_ports_for_proxies_speak_no_http() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(OLD)
            (istiod,) = mesh.istiods(OLD)

            with pytest.raises(ConnectionRefusedError):
                await mesh.ask(istiod, "/", port=15012)

    run(story)


def test_pilot_discovery_asks_its_own_istiod() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install(NEW)
            (istiod,) = mesh.istiods(NEW)
            program = mesh.server.programs.of(istiod)
            assert program is not None

            command = ["pilot-discovery", "request", "GET", "/debug/syncz"]
            code, out, err = await program.run(command)

            assert (code, json.loads(out)) == (0, [])
            assert b"memory is not limited" in err  # what 1.29 says, and never on stdout

    run(story)


class Moody(Calm):
    """A mood in which one thing goes wrong."""

    def __init__(self, name: str, answer: Callable[[Json], object]) -> None:
        setattr(self, name, answer)


def test_a_pod_may_lose_its_sidecar() -> None:
    async def story() -> None:
        mood = Moody("loses_sidecar", lambda pod: True)
        async with istio(mood=mood) as mesh:
            await started(mesh)

            assert {revision_of(pod) for pod in mesh.cluster.pods()} == {None}

    run(story)


def test_a_proxy_may_stay_stale() -> None:
    async def story() -> None:
        mood = Moody("is_stale", lambda pod: True)
        async with istio(mood=mood) as mesh:
            await mesh.install(OLD)
            await mesh.label(PLACE, rev=OLD)
            await mesh.cluster.deploy("web", replicas=1)

            (row,) = (await connected(mesh, OLD, 1)).values()

            assert "cluster_acked" not in row

    run(story)


def test_an_injector_that_does_not_answer_lets_no_pod_be_made() -> None:
    async def story() -> None:
        is_silent: list[bool] = []
        mood = Moody("is_silent", lambda istiod: bool(is_silent))
        async with istio(mood=mood) as mesh:
            await mesh.install(OLD)
            await mesh.label(PLACE, rev=OLD)
            is_silent.append(True)
            (configuration,) = [mesh.injector(OLD)]
            hooks = [{**hook, "timeoutSeconds": 1} for hook in configuration["webhooks"]]
            await mesh.apply(
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "MutatingWebhookConfiguration",
                    "metadata": {"name": name_of(configuration)},
                    "webhooks": hooks,
                }
            )
            body = {
                "metadata": {"name": "a"},
                "spec": {"containers": [{"name": "a", "image": "b"}]},
            }

            with pytest.raises(ApiError, match="failed calling webhook"):
                await mesh.server.create(PODS, body, namespace=PLACE, dry_run=True)

    run(story)


def test_a_late_proxy_has_only_a_part_of_its_configuration_and_its_pod_is_not_ready() -> None:
    async def story() -> None:
        mood = Moody("lag", lambda pod: 10_000.0)
        async with istio(mood=mood) as mesh:
            await mesh.install(OLD)
            await mesh.label(PLACE, rev=OLD)
            await mesh.cluster.make(DEPLOYMENTS, workload("web"), settled=False)

            (row,) = (await connected(mesh, OLD, 1)).values()

            assert "cluster_sent" in row
            assert "listener_sent" not in row
            assert mesh.cluster.ready() == []

    run(story)


def test_what_envoy_refuses_is_told_and_counted_until_it_is_gone() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await started(mesh)
            await connected(mesh, OLD, 3)
            resource = mesh.server.registry.of_kind("networking.istio.io/v1alpha3", "EnvoyFilter")
            assert resource is not None
            filter_ = rejected_by_envoy(PLACE, revision=OLD)

            async def errors() -> set[str]:
                rows = (await mesh.rows(OLD)).values()
                return {row["resources"][xds.CLUSTER].get("lastError", "") for row in rows}

            async def refused_so_far() -> str:
                (istiod,) = mesh.istiods(OLD)
                metrics = (await mesh.ask(istiod, "/metrics")).body.decode()
                found = [one for one in metrics.splitlines() if "pilot_total_xds_rejects{" in one]
                return " ".join(found)

            await mesh.server.create(resource, filter_, namespace=PLACE)
            await asyncio.sleep(0.3)
            assert all(one.startswith("Invalid duration") for one in await errors())
            assert await refused_so_far() == 'pilot_total_xds_rejects{type="cds"} 3'
            assert len(mesh.cluster.ready()) == 3

            await mesh.server.delete(resource, "impossible", namespace=PLACE)
            await asyncio.sleep(0.3)
            assert await errors() == {""}
            assert await refused_so_far() == 'pilot_total_xds_rejects{type="cds"} 3'

    run(story)
