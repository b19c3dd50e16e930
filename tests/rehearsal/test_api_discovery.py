from tests.rehearsal.api import Api, asked

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


def test_discovery_tells_groups_versions_and_resources() -> None:
    async def test(api: Api) -> None:
        assert (await api.get("/api"))["versions"] == ["v1"]
        groups = {one["name"]: one for one in (await api.get("/apis"))["groups"]}
        scaling = groups["autoscaling"]
        assert scaling["preferredVersion"]["version"] == "v2"
        assert len(scaling["versions"]) == 2
        core = {one["name"]: one for one in (await api.get("/api/v1"))["resources"]}
        assert core["pods"]["shortNames"] == ["po"]
        assert core["pods/eviction"]["group"] == "policy"
        assert core["namespaces"]["namespaced"] is False

    asked(test)


def test_aggregated_discovery_tells_all_at_once() -> None:
    async def test(api: Api) -> None:
        response = await api.ask("GET", "/apis", accept=AGGREGATED)
        found = response.json()
        apps = next(one for one in found["items"] if one["metadata"]["name"] == "apps")
        deployments = next(
            one for one in apps["versions"][0]["resources"] if one["resource"] == "deployments"
        )

        assert "as=APIGroupDiscoveryList" in response.headers["content-type"]
        assert deployments["scope"] == "Namespaced"
        assert {one["subresource"] for one in deployments["subresources"]} == {"status", "scale"}
        core = await api.get("/api", accept=AGGREGATED)
        assert core["items"][0]["metadata"]["name"] == ""

    asked(test)


def test_openapi_says_that_the_server_validates_fields() -> None:
    async def test(api: Api) -> None:
        paths = (await api.get("/openapi/v3"))["paths"]
        document = await api.get(paths["apis/apps/v1"]["serverRelativeURL"])
        patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"][
            "patch"
        ]

        assert "fieldValidation" in [one["name"] for one in patch["parameters"]]
        assert patch["x-kubernetes-group-version-kind"]["kind"] == "Deployment"

    asked(test)


def test_the_server_is_healthy() -> None:
    async def test(api: Api) -> None:
        for path in ("/healthz", "/livez", "/readyz", "/readyz/ping"):
            assert (await api.ask("GET", path)).text == "ok"

    asked(test)
