from deployments.rehearsal.cluster.objects import Json
from tests.rehearsal.api import STRATEGIC, Api, asked

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/x.io/v1/namespaces/default/things"


def definition(**more: object) -> Json:
    version = {"served": True, "schema": {"openAPIV3Schema": {"properties": {"ports": {}}}}}
    columns = [{"name": "Host", "type": "string", "jsonPath": ".spec.host"}]
    stored = {"storage": True, "subresources": {"status": {}}, "additionalPrinterColumns": columns}
    spec = {
        "group": "x.io",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing", "shortNames": ["th"]},
        "versions": [
            version | {"name": "v1"} | stored,
            version | {"name": "v1beta1", "storage": False},
        ],
    }
    return {"metadata": {"name": "things.x.io"}, "spec": spec | more}


def thing(**spec: object) -> Json:
    return {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


def test_a_definition_is_established_and_served_at_once() -> None:
    async def test(api: Api) -> None:
        assert (await api.ask("GET", THINGS)).status_code == 404
        created = await api.post(CRDS, definition())
        conditions = {one["type"]: one["status"] for one in created["status"]["conditions"]}

        assert conditions == {"NamesAccepted": "True", "Established": "True"}
        assert (await api.get(THINGS))["kind"] == "ThingList"
        assert (await api.post(THINGS, thing(host="h")))["spec"] == {"host": "h"}
        resources = (await api.get("/apis/x.io/v1"))["resources"]
        assert [one["name"] for one in resources] == ["things", "things/status"]
        await api.delete(f"{CRDS}/things.x.io")
        assert (await api.ask("GET", THINGS)).status_code == 404

    asked(test)


def test_all_versions_are_the_same_object() -> None:
    async def test(api: Api) -> None:
        await api.post(CRDS, definition())
        await api.post(THINGS, thing(host="h"))
        older = THINGS.replace("v1/", "v1beta1/")

        assert (await api.get(f"{older}/a"))["apiVersion"] == "x.io/v1beta1"
        changed = await api.patch(f"{older}/a", {"spec": {"host": "i"}})
        assert changed["apiVersion"] == "x.io/v1beta1"
        assert (await api.get(f"{THINGS}/a"))["spec"] == {"host": "i"}

    asked(test)


def test_custom_resources_have_no_strategic_merge_and_need_a_version_to_be_replaced() -> None:
    async def test(api: Api) -> None:
        await api.post(CRDS, definition())
        await api.post(THINGS, thing())
        refused = await api.patch(f"{THINGS}/a", {"spec": {}}, STRATEGIC)

        assert refused["code"] == 415
        replaced = await api.put(f"{THINGS}/a", thing(x="y"))
        assert replaced["message"] == (
            'Thing.x.io "a" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be '
            "specified for an update"
        )

    asked(test)


def test_the_columns_of_a_definition_are_those_of_its_table() -> None:
    async def test(api: Api) -> None:
        await api.post(CRDS, definition())
        await api.post(THINGS, thing(host="h"))
        table = await api.get(THINGS, accept="application/json;as=Table;v=v1;g=meta.k8s.io")

        assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Host"]
        assert table["rows"][0]["cells"] == ["a", "h"]

    asked(test)


def test_a_definition_must_be_named_for_what_it_defines() -> None:
    async def test(api: Api) -> None:
        wrong = definition() | {"metadata": {"name": "other"}}
        refused = await api.post(CRDS, wrong)

        assert refused["message"] == (
            'CustomResourceDefinition.apiextensions.k8s.io "other" is invalid: metadata.name: '
            'Invalid value: "other": must be spec.names.plural+"."+spec.group'
        )

    asked(test)
