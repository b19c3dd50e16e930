"""Discovery: what a server says that it has, in the forms that kubectl and istioctl ask for."""

from typing import Final

from tests.contract.client import Json
from tests.contract.place import Cluster, Place

AGGREGATED: Final = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


def resources(body: Json, group: str, version: str) -> dict[str, Json]:
    (found,) = (one for one in body["items"] if one["metadata"].get("name", "") == group)
    (at,) = (one for one in found["versions"] if one["version"] == version)
    return {one["resource"]: one for one in at["resources"]}


def test_the_core_is_told_in_one_answer(cluster: Cluster) -> None:
    body = cluster.client.ask("GET", "/api", accept=AGGREGATED).object

    assert body["kind"] == "APIGroupDiscoveryList"
    pods = resources(body, "", "v1")["pods"]
    assert pods["responseKind"] == {"group": "", "version": "v1", "kind": "Pod"} or (
        pods["responseKind"] == {"group": "", "version": "", "kind": "Pod"}
    )
    assert (pods["scope"], pods["singularResource"], pods["shortNames"]) == (
        "Namespaced",
        "pod",
        ["po"],
    )
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(pods["verbs"])
    parts = {one["subresource"] for one in pods["subresources"]}
    assert {"status", "eviction", "portforward", "exec", "log"} <= parts


def test_the_groups_are_told_in_one_answer(cluster: Cluster) -> None:
    body = cluster.client.ask("GET", "/apis", accept=AGGREGATED).object

    deployments = resources(body, "apps", "v1")["deployments"]
    assert deployments["shortNames"] == ["deploy"]
    assert "all" in deployments["categories"]
    assert {one["subresource"] for one in deployments["subresources"]} == {"scale", "status"}


def test_clients_that_are_older_are_told_too(cluster: Cluster) -> None:
    versions = cluster.client.ask("GET", "/api").object
    groups = cluster.client.ask("GET", "/apis").object
    core = cluster.client.ask("GET", "/api/v1").object
    apps = cluster.client.ask("GET", "/apis/apps/v1").object

    assert (versions["kind"], versions["versions"]) == ("APIVersions", ["v1"])
    (named,) = (one for one in groups["groups"] if one["name"] == "apps")
    assert named["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert "pods/portforward" in {one["name"] for one in core["resources"]}
    assert {"deployments", "deployments/scale"} <= {one["name"] for one in apps["resources"]}


def test_the_version_is_one_that_istio_is_tested_with(cluster: Cluster) -> None:
    body = cluster.client.ask("GET", "/version").object

    assert body["major"] == "1"
    assert body["gitVersion"].startswith(f"v1.{body['minor'].rstrip('+')}.")


def test_it_says_that_it_is_well(cluster: Cluster) -> None:
    assert cluster.client.text("/readyz") == (200, "ok")
    assert cluster.client.text("/healthz") == (200, "ok")


def test_a_custom_kind_is_served_once_it_is_defined(place: Place) -> None:
    group = f"{place.name}.example"
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    body = {"metadata": {"name": f"things.{group}"}, "spec": spec}
    assert place.client.ask("POST", path, body).code == 201
    things = f"/apis/{group}/v1/namespaces/{place.name}/things"
    place.until(lambda: place.client.ask("GET", things).code == 200, "things are served")

    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": 1}
    made = place.client.ask("POST", things, thing).object

    (condition,) = (
        one
        for one in place.client.ask("GET", f"{path}/things.{group}").object["status"]["conditions"]
        if one["type"] == "Established"
    )
    assert (made["spec"], condition["status"]) == (1, "True")
    assert place.client.ask("GET", things).body["kind"] == "ThingList"
    place.client.ask("DELETE", f"{path}/things.{group}")
    place.until(lambda: place.client.ask("GET", things).code == 404, "things are gone")


def test_the_openapi_s_index_names_every_group(cluster: Cluster) -> None:
    paths = cluster.client.ask("GET", "/openapi/v3").object["paths"]

    assert {"api/v1", "apis/apps/v1", "apis/batch/v1"} <= set(paths)
    address = paths["apis/apps/v1"]["serverRelativeURL"]
    path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    patch = cluster.client.ask("GET", address).object["paths"][path]["patch"]
    assert "fieldValidation" in {one.get("name") for one in patch["parameters"]}
