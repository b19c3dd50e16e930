import pytest

from tests.rehearsal.api import (
    DEPLOYMENTS,
    MAPS,
    MERGE,
    PODS,
    Api,
    asked,
    config_map,
    deployment,
    pod,
)


def test_a_created_object_is_one_of_its_own() -> None:
    async def test(api: Api) -> None:
        first = await api.post(PODS, pod() | {"status": {"phase": "Running"}})
        second = await api.post(PODS, pod("b"))

        assert first["kind"] == "Pod"
        assert first["apiVersion"] == "v1"
        assert first["metadata"]["namespace"] == "default"
        assert first["metadata"]["generation"] == 1
        assert first["metadata"]["uid"] != second["metadata"]["uid"]
        assert int(first["metadata"]["resourceVersion"]) < int(
            second["metadata"]["resourceVersion"]
        )
        assert first["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
        assert first == await api.get(f"{PODS}/a")

    asked(test)


def test_names_are_generated_and_none_is_given_twice() -> None:
    async def test(api: Api) -> None:
        body = {"metadata": {"generateName": "a-"}}
        names = {(await api.post(MAPS, body))["metadata"]["name"] for _ in range(50)}

        assert len(names) == 50
        assert all(len(name) == len("a-") + 5 for name in names)

    asked(test)


def test_a_dry_run_says_what_would_be_and_keeps_nothing() -> None:
    async def test(api: Api) -> None:
        response = await api.ask("POST", f"{PODS}?dryRun=All", pod())

        assert response.status_code == 201
        assert response.json()["spec"]["serviceAccountName"] == "default"
        assert "resourceVersion" not in response.json()["metadata"]
        assert (await api.get(f"{PODS}/a"))["code"] == 404

        await api.post(MAPS, config_map(a="1"))
        await api.ask("PATCH", f"{MAPS}/a?dryRun=All", {"data": {"a": "2"}}, kind=MERGE)
        await api.ask("DELETE", f"{MAPS}/a?dryRun=All")
        assert (await api.get(f"{MAPS}/a"))["data"] == {"a": "1"}

    asked(test)


def test_only_a_changed_spec_counts_as_a_new_generation() -> None:
    async def test(api: Api) -> None:
        await api.post(DEPLOYMENTS, deployment())
        labelled = await api.patch(f"{DEPLOYMENTS}/a", {"metadata": {"labels": {"x": "y"}}})
        scaled = await api.patch(f"{DEPLOYMENTS}/a", {"spec": {"replicas": 3}})
        same = await api.patch(f"{DEPLOYMENTS}/a", {"spec": {"replicas": 3}})

        assert labelled["metadata"]["generation"] == 1
        assert scaled["metadata"]["generation"] == 2
        assert same["metadata"]["resourceVersion"] == scaled["metadata"]["resourceVersion"]

    asked(test)


def test_a_stale_update_is_a_conflict_and_one_without_a_version_is_not() -> None:
    async def test(api: Api) -> None:
        stale = await api.post(MAPS, config_map(a="1"))
        await api.patch(f"{MAPS}/a", {"data": {"a": "2"}})

        refused = await api.put(f"{MAPS}/a", stale)
        assert refused["code"] == 409
        assert refused["message"] == (
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )
        assert (await api.put(f"{MAPS}/a", config_map(a="3")))["data"] == {"a": "3"}

    asked(test)


def test_status_and_spec_are_written_apart() -> None:
    async def test(api: Api) -> None:
        created = await api.post(PODS, pod())
        status = {"status": {"phase": "Running"}, "spec": {"nodeName": "x"}}
        changed = await api.patch(f"{PODS}/a/status", status)
        assert changed["status"]["phase"] == "Running"
        assert changed["spec"] == created["spec"]

        labelled = {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Failed"}}
        assert (await api.patch(f"{PODS}/a", labelled))["status"]["phase"] == "Running"

    asked(test)


def test_a_scale_is_read_and_written_by_itself() -> None:
    async def test(api: Api) -> None:
        await api.post(DEPLOYMENTS, deployment(replicas=2))
        assert (await api.get(f"{DEPLOYMENTS}/a/scale"))["spec"] == {"replicas": 2}

        scaled = await api.patch(f"{DEPLOYMENTS}/a/scale", {"spec": {"replicas": 5}})
        assert scaled["kind"] == "Scale"
        assert (await api.get(f"{DEPLOYMENTS}/a"))["spec"]["replicas"] == 5
        assert (await api.patch(f"{DEPLOYMENTS}/a/scale", {"spec": {"replicas": -1}}))[
            "code"
        ] == 422

    asked(test)


def test_a_service_keeps_the_address_that_it_was_given() -> None:
    async def test(api: Api) -> None:
        path = "/api/v1/namespaces/default/services"
        body = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
        created = await api.post(path, body)
        replaced = await api.put(f"{path}/a", body | {"spec": {"ports": [{"port": 81}]}})

        assert created["spec"]["clusterIP"].startswith("10.")
        assert replaced["spec"]["clusterIP"] == created["spec"]["clusterIP"]
        assert replaced["spec"]["ports"] == [{"port": 81, "protocol": "TCP", "targetPort": 81}]

    asked(test)


def test_a_pod_too_many_exceeds_the_quota_in_the_real_words() -> None:
    async def test(api: Api) -> None:
        quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}
        await api.post("/api/v1/namespaces/default/resourcequotas", quota)
        await api.post(PODS, pod("a"))
        refused = await api.post(PODS, pod("b"))

        assert refused["code"] == 403
        assert refused["message"] == (
            'pods "b" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, '
            "limited: pods=1"
        )

    asked(test)


@pytest.mark.parametrize(
    ("path", "body", "code", "text"),
    [
        pytest.param(
            "/api/v1/namespaces/no/pods", pod(), 404, 'namespaces "no" not found', id="no namespace"
        ),
        pytest.param(
            PODS,
            pod("A_b"),
            422,
            'Pod "A_b" is invalid: metadata.name: Invalid value: "A_b": a lowercase RFC 1123 '
            "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for "
            "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            id="a bad name",
        ),
        pytest.param(
            PODS,
            {"metadata": {"name": "a"}},
            422,
            'Pod "a" is invalid: spec.containers: Required value',
            id="no containers",
        ),
        pytest.param(
            DEPLOYMENTS,
            deployment(selector={"matchLabels": {"app": "other"}}),
            422,
            'Deployment.apps "a" is invalid: spec.template.metadata.labels: Invalid value: '
            '{"app":"a"}: `selector` does not match template `labels`',
            id="a selector that selects others",
        ),
        pytest.param(
            MAPS,
            {"metadata": {}},
            422,
            'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is '
            "required",
            id="no name",
        ),
        pytest.param(
            MAPS,
            {"metadata": {"name": "a", "namespace": "other"}},
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
            id="another namespace",
        ),
    ],
)
def test_what_cannot_be_created_is_refused_in_the_real_words(
    path: str, body: object, code: int, text: str
) -> None:
    async def test(api: Api) -> None:
        refused = await api.post(path, body)

        assert (refused["code"], refused["message"]) == (code, text)
        assert refused["kind"] == "Status"

    asked(test)


def test_what_exists_cannot_be_created_again() -> None:
    async def test(api: Api) -> None:
        await api.post(DEPLOYMENTS, deployment())
        refused = await api.post(DEPLOYMENTS, deployment())

        assert refused["reason"] == "AlreadyExists"
        assert refused["message"] == 'deployments.apps "a" already exists'
        assert refused["details"] == {"name": "a", "group": "apps", "kind": "deployments"}

    asked(test)


def test_what_may_never_change_does_not() -> None:
    async def test(api: Api) -> None:
        await api.post(DEPLOYMENTS, deployment())
        await api.post(PODS, pod())
        selector = {"matchLabels": {"app": "b"}}
        template = {"metadata": {"labels": {"app": "b"}}}
        change = {"spec": {"selector": selector, "template": template}}

        refused = await api.patch(f"{DEPLOYMENTS}/a", change)
        assert refused["code"] == 422
        assert "spec.selector: Invalid value" in refused["message"]
        assert "field is immutable" in refused["message"]
        assert (await api.patch(f"{PODS}/a", {"spec": {"nodeName": "x"}}))["code"] == 422
        assert (await api.patch(f"{PODS}/a", {"metadata": {"uid": "x"}}))["code"] == 422
        replaced = pod() | {"metadata": {"name": "a", "uid": "x"}}
        assert (await api.put(f"{PODS}/a", replaced))["code"] == 409

    asked(test)
