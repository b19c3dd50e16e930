from deployments.rehearsal.cluster.objects import Json
from tests.rehearsal.api import DEPLOYMENTS, MAPS, Api, asked, config_map, deployment


def applied(name: str = "a", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap"} | config_map(name, **data)


def managers(obj: Json) -> list[tuple[str, str]]:
    return [(one["manager"], one["operation"]) for one in obj["metadata"]["managedFields"]]


def test_apply_creates_and_then_changes() -> None:
    async def test(api: Api) -> None:
        created = await api.apply(f"{MAPS}/a", applied(a="1"))
        changed = await api.apply(f"{MAPS}/a", applied(a="2"))

        assert managers(created) == [("me", "Apply")]
        fields = created["metadata"]["managedFields"][0]["fieldsV1"]
        assert fields == {"f:data": {"f:a": {}}}
        assert changed["data"] == {"a": "2"}
        assert created["metadata"]["uid"] == changed["metadata"]["uid"]

    asked(test)


def test_applying_the_same_again_writes_nothing() -> None:
    async def test(api: Api) -> None:
        first = await api.apply(f"{DEPLOYMENTS}/a", deployment())
        second = await api.apply(f"{DEPLOYMENTS}/a", deployment())

        assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]

    asked(test)


def test_what_is_not_applied_any_more_goes_unless_somebody_else_wants_it() -> None:
    async def test(api: Api) -> None:
        await api.apply(f"{MAPS}/a", applied(a="1", b="1", c="1"))
        await api.apply(f"{MAPS}/a", applied(b="1"), "other")
        await api.patch(f"{MAPS}/a", {"data": {"d": "1"}})
        left = await api.apply(f"{MAPS}/a", applied(a="1"))

        assert left["data"] == {"a": "1", "b": "1", "d": "1"}

    asked(test)


def test_a_container_that_is_not_applied_any_more_goes() -> None:
    async def test(api: Api) -> None:
        both = deployment()
        one = deployment()
        both["spec"]["template"]["spec"]["containers"] = [
            {"name": "c", "image": "i:1", "ports": [{"containerPort": 80}]},
            {"name": "d", "image": "i:1"},
        ]
        await api.apply(f"{DEPLOYMENTS}/a", both)
        left = await api.apply(f"{DEPLOYMENTS}/a", one)

        containers = left["spec"]["template"]["spec"]["containers"]
        assert [container["name"] for container in containers] == ["c"]
        assert "ports" not in containers[0]

    asked(test)


def test_another_managers_field_is_a_conflict_in_the_real_words() -> None:
    async def test(api: Api) -> None:
        await api.apply(f"{MAPS}/a", applied(a="1", b="1"))
        one = await api.apply(f"{MAPS}/a", applied(a="2"), "other")
        two = await api.apply(f"{MAPS}/a", applied(a="2", b="2"), "other")

        assert one["code"] == 409
        assert one["reason"] == "Conflict"
        assert one["message"] == 'Apply failed with 1 conflict: conflict with "me": .data.a'
        assert one["details"]["causes"] == [
            {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.a"}
        ]
        assert two["message"] == (
            'Apply failed with 2 conflicts: conflicts with "me":\n- .data.a\n- .data.b'
        )

    asked(test)


def test_force_takes_the_field_over() -> None:
    async def test(api: Api) -> None:
        await api.apply(f"{MAPS}/a", applied(a="1"))
        taken = await api.apply(f"{MAPS}/a", applied(a="2"), "other", force="true")

        assert taken["data"] == {"a": "2"}
        assert managers(taken) == [("other", "Apply")]

    asked(test)


def test_an_update_takes_fields_over_and_is_then_in_the_way() -> None:
    async def test(api: Api) -> None:
        await api.apply(f"{DEPLOYMENTS}/a", deployment(replicas=1))
        scaled = {"spec": {"replicas": 3}}
        updated = await api.patch(f"{DEPLOYMENTS}/a?fieldManager=hand", scaled)
        refused = await api.apply(f"{DEPLOYMENTS}/a", deployment(replicas=1))

        assert managers(updated) == [("me", "Apply"), ("hand", "Update")]
        assert refused["message"].startswith(
            'Apply failed with 1 conflict: conflict with "hand" using apps/v1 at '
        )
        assert refused["message"].endswith(": .spec.replicas")

    asked(test)


def test_equal_values_are_owned_together() -> None:
    async def test(api: Api) -> None:
        await api.apply(f"{MAPS}/a", applied(a="1"))
        shared = await api.apply(f"{MAPS}/a", applied(a="1"), "other")

        assert managers(shared) == [("me", "Apply"), ("other", "Apply")]

    asked(test)


def test_apply_needs_a_manager_and_a_kind() -> None:
    async def test(api: Api) -> None:
        unnamed = await api.patch(f"{MAPS}/a", applied(), "application/apply-patch+yaml")
        assert unnamed["message"] == (
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required '
            "for apply patch"
        )
        assert (await api.apply(f"{MAPS}/a", config_map()))["code"] == 400

    asked(test)


def test_a_dry_run_of_an_apply_keeps_nothing() -> None:
    async def test(api: Api) -> None:
        assert (await api.apply(f"{MAPS}/a", applied(a="1"), dryRun="All"))["data"] == {"a": "1"}
        assert (await api.get(f"{MAPS}/a"))["code"] == 404

    asked(test)
