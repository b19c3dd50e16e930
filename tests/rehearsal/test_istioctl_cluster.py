"""istioctl at work: installs, tags and uninstalls, with what they leave behind and what they say."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deployments.rehearsal.cluster.objects import labels_of, name_of
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    LEASES,
    MUTATING_WEBHOOKS,
    SERVICES,
    VALIDATING_WEBHOOKS,
)
from deployments.rehearsal.istioctl.main import VERSIONS
from tests.rehearsal.istio_cluster import SYSTEM, IstioCluster, istio
from tests.rehearsal.istioctl_in_process import Ran, istioctl
from tests.rehearsal.running_cluster import PLACE, run

OLD, NEW = VERSIONS
OLD_REVISION, NEW_REVISION = "1-28-3", "1-29-1"
SETTINGS = ("--set", "profile=minimal", "--set", "values.pilot.autoscaleEnabled=false")


class Story:
    """A cluster, and istioctls of both versions."""

    def __init__(self, mesh: IstioCluster) -> None:
        self.mesh = mesh
        self.server = mesh.server

    async def istioctl(self, *argv: str, version: str = NEW, says: str = "") -> Ran:
        return await istioctl(self.server, version, *argv, says=says)

    async def install(self, version: str, revision: str = "") -> Ran:
        named = [f"--revision={revision}"] if revision else []
        ran = await self.istioctl("install", "-y", *named, *SETTINGS, version=version)
        assert ran.code == 0, ran
        return ran

    async def both(self) -> None:
        await self.install(OLD, OLD_REVISION)
        await self.install(NEW, NEW_REVISION)

    def names(self, resource: Resource, namespace: str = "") -> list[str]:
        return [name_of(one) for one in self.server.store.list(resource, namespace or None)]

    def labels(self, resource: Resource, name: str, namespace: str = "") -> dict[str, str]:
        found = self.server.store.get(resource, name, namespace)
        assert found is not None, f"no {name}"
        return labels_of(found)

    def target(self, name: str, resource: Resource = MUTATING_WEBHOOKS) -> set[str]:
        """Return the Services that a webhook configuration calls."""
        found = self.server.store.get(resource, name)
        hooks = found["webhooks"] if found else []
        return {hook["clientConfig"]["service"]["name"] for hook in hooks}


@asynccontextmanager
async def story() -> AsyncIterator[Story]:
    async with istio() as mesh:
        yield Story(mesh)


def test_a_first_install_makes_the_default_too_as_a_part_of_itself() -> None:
    async def told() -> None:
        async with story() as it:
            ran = await it.install(OLD, OLD_REVISION)

            assert "✔ Installation complete" in ran.err
            assert it.target("istio-revision-tag-default") == {"istiod-1-28-3"}
            assert it.target("istiod-default-validator", VALIDATING_WEBHOOKS) == {"istiod-1-28-3"}
            labels = it.labels(MUTATING_WEBHOOKS, "istio-revision-tag-default")
            assert labels["operator.istio.io/component"] == "Pilot"
            assert labels["operator.istio.io/version"] == OLD

    run(told)


def test_a_canary_leaves_the_default_alone_and_moves_the_shared_objects_forward() -> None:
    async def told() -> None:
        async with story() as it:
            await it.install(OLD, OLD_REVISION)
            before = it.server.store.get(MUTATING_WEBHOOKS, "istio-revision-tag-default")

            await it.install(NEW, NEW_REVISION)

            assert it.server.store.get(MUTATING_WEBHOOKS, "istio-revision-tag-default") == before
            versions = {
                it.labels(CRDS, name)["operator.istio.io/version"] for name in it.names(CRDS)
            }
            assert versions == {NEW}
            assert set(it.names(DEPLOYMENTS, SYSTEM)) == {"istiod-1-28-3", "istiod-1-29-1"}

    run(told)


def test_an_install_without_a_revision_is_the_default_and_shuts_its_own_injector() -> None:
    async def told() -> None:
        async with story() as it:
            await it.install(OLD)

            assert it.target("istio-revision-tag-default") == {"istiod"}
            (own,) = [it.mesh.injector("default")]
            assert "never-match" in json.dumps(own)

    run(told)


def test_an_install_that_waits_in_vain_says_for_what() -> None:
    async def told() -> None:
        async with story() as it:
            ran = await it.istioctl(
                "install", "-y", "--revision=x", *SETTINGS, "--readiness-timeout=1s",
                "--set", "hub=registry.invalid/missing", "--set", "tag=never",
            )  # fmt: skip

            assert ran.code == 1
            assert "resources not ready after 1s: context deadline exceeded" in ran.err
            assert "Deployment/istio-system/istiod-x" in ran.err

    run(told)


def test_an_install_that_nobody_confirms_is_cancelled() -> None:
    async def told() -> None:
        async with story() as it:
            ran = await it.istioctl("install", "--revision=x", *SETTINGS)

            assert (ran.code, ran.err) == (1, "Cancelled.\n")
            assert it.names(DEPLOYMENTS, SYSTEM) == []

    run(told)


_TAKEN = (
    f'cannot create revision tag "{OLD_REVISION}": '
    "found existing control plane revision with same name"
)
_UNKNOWN = "cannot find MutatingWebhookConfiguration or Service"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            ["tag", "set", "prod", "--revision", "nope"],
            f'cannot modify tag: {_UNKNOWN} with revision "nope"',
        ),
        (
            ["tag", "set", "default", "--revision", NEW_REVISION],
            'revision tag "default" already exists, and --overwrite is false',
        ),
        (
            ["tag", "set", OLD_REVISION, "--revision", NEW_REVISION],
            _TAKEN,
        ),
        (["tag", "remove", "nope", "-y"], f'cannot remove tag "nope": {_UNKNOWN} for tag'),
        (["uninstall", "--revision", "nope", "-y"], "could not find target revision"),
    ],
)
def test_refusals_are_in_istioctl_s_own_words(argv: list[str], words: str) -> None:
    async def told() -> None:
        async with story() as it:
            await it.both()

            ran = await it.istioctl(*argv)

            assert (ran.code, ran.err) == (1, f"Error: {words}\n")

    run(told)


def test_moving_the_default_moves_the_validator_and_keeps_the_installer_s_labels() -> None:
    async def told() -> None:
        async with story() as it:
            await it.both()

            ran = await it.istioctl(
                "tag", "set", "default", f"--revision={NEW_REVISION}", "--overwrite"
            )

            assert (ran.code, "created" in ran.out) == (0, True)
            assert it.target("istio-revision-tag-default") == {"istiod-1-29-1"}
            assert it.target("istiod-default-validator", VALIDATING_WEBHOOKS) == {"istiod-1-29-1"}
            labels = it.labels(MUTATING_WEBHOOKS, "istio-revision-tag-default")
            assert labels["istio.io/rev"] == NEW_REVISION
            assert labels["operator.istio.io/version"] == OLD
            await it.mesh.until(lambda: it.mesh.failure_policies() == {"Fail"})

    run(told)


def test_tags_are_listed_by_revision_with_their_namespaces() -> None:
    async def told() -> None:
        async with story() as it:
            await it.both()
            await it.istioctl("tag", "set", "prod", f"--revision={OLD_REVISION}")
            await it.mesh.label(PLACE, rev="prod")

            ran = await it.istioctl("tag", "list", "-o", "json")

            assert json.loads(ran.out) == [
                {"tag": "default", "revision": OLD_REVISION, "namespaces": []},
                {"tag": "prod", "revision": OLD_REVISION, "namespaces": [PLACE]},
                {"tag": "", "revision": NEW_REVISION, "namespaces": []},
            ]

    run(told)


def test_a_removed_default_leaves_its_validator_behind() -> None:
    async def told() -> None:
        async with story() as it:
            await it.install(OLD, OLD_REVISION)

            ran = await it.istioctl("tag", "remove", "default", "-y", version=OLD)

            assert ran.out == "Revision tag default removed\n"
            assert "istio-revision-tag-default" not in it.names(MUTATING_WEBHOOKS)
            assert "istiod-default-validator" in it.names(VALIDATING_WEBHOOKS)

    run(told)


async def moved(it: Story) -> None:
    """Install both, and make the new one the default."""
    await it.both()
    ran = await it.istioctl("tag", "set", "default", f"--revision={NEW_REVISION}", "--overwrite")
    assert ran.code == 0, ran


def test_a_dry_run_lists_the_sixteen_objects_and_removes_none() -> None:
    async def told() -> None:
        async with story() as it:
            await moved(it)

            ran = await it.istioctl("uninstall", f"--revision={OLD_REVISION}", "--dry-run", "-y")

            assert ran.code == 0
            listed = [one for one in ran.out.splitlines() if one.startswith("Not pruning object ")]
            assert len(listed) == 16
            assert listed[0] == (
                "Not pruning object apps/v1, Kind=Deployment/istiod-1-28-3.istio-system "
                "because of dry run."
            )
            assert "✔ Uninstall complete" in ran.err
            assert "istiod-1-28-3" in it.names(DEPLOYMENTS, SYSTEM)

    run(told)


def test_an_uninstall_leaves_what_is_shared_and_the_leases() -> None:
    async def told() -> None:
        async with story() as it:
            await moved(it)

            ran = await it.istioctl("uninstall", f"--revision={OLD_REVISION}", "-y")

            assert ran.code == 0, ran
            await it.mesh.until(lambda: "istiod-1-28-3" not in it.names(DEPLOYMENTS, SYSTEM))
            assert "istio-sidecar-injector-1-28-3" not in it.names(MUTATING_WEBHOOKS)
            assert "istio-1-28-3" not in it.names(CONFIGMAPS, SYSTEM)
            assert "istio-revision-tag-default" in it.names(MUTATING_WEBHOOKS)
            assert "istio-gateway-deployment-1-28-3" in it.names(LEASES, SYSTEM)
            assert len(it.names(CRDS)) == 14

            again = await it.istioctl("uninstall", f"--revision={OLD_REVISION}", "-y")
            assert (again.code, again.err) == (1, "Error: could not find target revision\n")

    run(told)


def test_an_uninstall_of_the_default_takes_the_installer_s_default_along() -> None:
    async def told() -> None:
        async with story() as it:
            await it.both()

            await it.istioctl("uninstall", f"--revision={OLD_REVISION}", "-y")

            assert "istio-revision-tag-default" not in it.names(MUTATING_WEBHOOKS)
            assert "istiod-default-validator" not in it.names(VALIDATING_WEBHOOKS)

    run(told)


def test_people_s_own_tag_outlives_its_revision() -> None:
    async def told() -> None:
        async with story() as it:
            await moved(it)
            await it.istioctl("tag", "set", "stable", f"--revision={OLD_REVISION}")

            await it.istioctl("uninstall", f"--revision={OLD_REVISION}", "-y")

            assert it.target("istio-revision-tag-stable") == {"istiod-1-28-3"}
            assert "istiod-revision-tag-stable" in it.names(SERVICES, SYSTEM)
            again = await it.istioctl("uninstall", f"--revision={OLD_REVISION}", "-y")
            assert again.code == 0
            assert "No resources will be pruned from the cluster" in again.out

    run(told)


async def with_proxies(it: Story) -> None:
    await it.both()
    await it.mesh.label(PLACE, rev=OLD_REVISION)
    await it.mesh.cluster.deploy("web", replicas=2)
    await it.mesh.until(lambda: len(it.mesh.cluster.ready()) == 2)


def test_an_uninstall_says_how_many_proxies_it_leaves_alone_and_asks() -> None:
    async def told() -> None:
        async with story() as it:
            await with_proxies(it)

            ran = await it.istioctl("uninstall", f"--revision={OLD_REVISION}", says="n\n")

            assert ran.code == 1
            words = "There are still 2 proxies pointing to the control plane revision 1-28-3"
            assert words in ran.out
            assert all(f"{name_of(pod)}.{PLACE}" in ran.out for pod in it.mesh.cluster.pods())
            assert ran.err == "Cancelled.\n"

    run(told)


def test_proxy_status_is_of_one_revision_and_ignores_the_format() -> None:
    async def told() -> None:
        async with story() as it:
            await with_proxies(it)

            old = await it.istioctl("proxy-status", "--revision", OLD_REVISION, "-o", "json")
            new = await it.istioctl("proxy-status", "--revision", NEW_REVISION)
            default = await it.istioctl("ps")

            header, *lines = old.out.splitlines()
            assert header.split() == [
                "NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED", "TYPES",
            ]  # fmt: skip
            assert len(lines) == 2
            assert all(line.endswith("4 (CDS,LDS,EDS,RDS)") for line in lines)
            assert len(new.out.splitlines()) == 1
            assert default.out.splitlines()[1:] == lines

    run(told)


def test_proxy_status_needs_an_istiod() -> None:
    async def told() -> None:
        async with story() as it:
            ran = await it.istioctl("proxy-status", "--revision", "nope")

            assert (ran.code, ran.err) == (1, 'Error: no running Istio pods in "istio-system"\n')

    run(told)


def test_an_internal_debug_sees_itself() -> None:
    async def told() -> None:
        async with story() as it:
            await it.install(OLD, OLD_REVISION)

            ran = await it.istioctl("x", "internal-debug", "syncz")

            assert [row["proxy"] for row in json.loads(ran.out)] == ["test-1.default"]

    run(told)


def test_version_tells_the_control_plane_and_its_proxies() -> None:
    async def told() -> None:
        async with story() as it:
            await with_proxies(it)

            ran = await it.istioctl("version", "-o", "json", "--revision", OLD_REVISION)

            found = json.loads(ran.out)
            assert found["clientVersion"]["version"] == NEW
            (plane,) = found["meshVersion"]
            assert (plane["Revision"], plane["Info"]["version"]) == (OLD_REVISION, OLD)
            kinds = [one["Type"] for one in found["dataPlaneVersion"]]
            assert kinds == ["sidecar", "sidecar"]  # and not istioctl itself

    run(told)


def test_a_precheck_without_findings_says_so_on_stderr_only() -> None:
    async def told() -> None:
        async with story() as it:
            ran = await it.istioctl("x", "precheck", "-o", "json")

            assert (ran.code, ran.out) == (0, "")
            assert "No issues found" in ran.err

    run(told)


def test_analyze_finds_an_injector_whose_service_is_gone() -> None:
    async def told() -> None:
        async with story() as it:
            await it.install(OLD, OLD_REVISION)
            await it.server.delete(SERVICES, "istiod-1-28-3", namespace=SYSTEM)

            ran = await it.istioctl("analyze", "-A")

            assert ran.code == 79
            assert "Error [IST0139]" in ran.out

    run(told)
