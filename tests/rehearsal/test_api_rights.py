import pytest

from tests.rehearsal.api import MAPS, PODS, Api, asked, pod

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


async def token(api: Api, name: str = "bob", seconds: int = 3600) -> str:
    """Return a token of a new ServiceAccount."""
    await api.post(ACCOUNTS, {"metadata": {"name": name}})
    request = {"spec": {"expirationSeconds": seconds}}
    answer = await api.post(f"{ACCOUNTS}/{name}/token", request)
    return f"Bearer {answer['status']['token']}"


async def give(api: Api, role: str, *rules: object, name: str = "bob") -> None:
    namespace = f"{RBAC}/namespaces/default"
    await api.post(f"{namespace}/roles", {"metadata": {"name": role}, "rules": list(rules)})
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    binding = {"subjects": [subject], "roleRef": {"kind": "Role", "name": role}}
    await api.post(f"{namespace}/rolebindings", {"metadata": {"name": role}} | binding)


def test_without_rights_nothing_is_allowed_and_the_error_says_what() -> None:
    async def test(api: Api) -> None:
        bob = await token(api)
        listed = await api.get(PODS, authorization=bob)
        one = await api.get("/api/v1/namespaces/a", authorization=bob)
        path = await api.get("/metrics", authorization=bob)

        who = 'User "system:serviceaccount:default:bob"'
        assert listed["message"] == (
            f'pods is forbidden: {who} cannot list resource "pods" in API group "" in the '
            'namespace "default"'
        )
        assert listed["details"] == {"kind": "pods"}
        assert one["message"] == (
            f'namespaces "a" is forbidden: {who} cannot get resource "namespaces" in API group "" '
            'in the namespace "a"'
        )
        assert path["message"] == f'forbidden: {who} cannot get path "/metrics"'
        assert (listed["code"], listed["reason"]) == (403, "Forbidden")

    asked(test)


def test_a_role_gives_what_it_says_where_it_says() -> None:
    async def test(api: Api) -> None:
        bob = await token(api)
        await give(api, "r", {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})

        assert (await api.get(PODS, authorization=bob))["kind"] == "PodList"
        other = PODS.replace("default", "kube-system")
        assert (await api.get(other, authorization=bob))["code"] == 403
        assert (await api.get("/api/v1/pods", authorization=bob))["code"] == 403
        assert (await api.get(f"{PODS}/a", authorization=bob))["code"] == 403

    asked(test)


def test_a_role_may_be_for_one_name_or_one_part() -> None:
    async def test(api: Api) -> None:
        bob = await token(api)
        named = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"]}
        part = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}
        await give(api, "r", named, part)
        await api.post(PODS, pod("a"))
        await api.post(PODS, pod("b"))

        assert (await api.get(f"{PODS}/a", authorization=bob))["kind"] == "Pod"
        assert (await api.get(f"{PODS}/b", authorization=bob))["code"] == 403
        log = await api.ask("GET", f"{PODS}/b/log", authorization=bob)
        assert (log.status_code, log.text) == (200, "")

    asked(test)


def test_aggregated_cluster_roles_collect_others() -> None:
    async def test(api: Api) -> None:
        bob = await token(api)
        subject = {"kind": "ServiceAccount", "name": "bob", "namespace": "default"}
        reference = {"kind": "ClusterRole", "name": "view"}
        binding = {"metadata": {"name": "b"}, "subjects": [subject], "roleRef": reference}
        await api.post(f"{RBAC}/clusterrolebindings", binding)

        assert (await api.get("/api/v1/pods", authorization=bob))["kind"] == "PodList"
        assert (await api.get("/api/v1/secrets", authorization=bob))["code"] == 403

    asked(test)


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer a.b.c", "Basic eDp5", "Bearer é"])
def test_a_token_of_nobody_is_unauthorized(header: str) -> None:
    async def test(api: Api) -> None:
        response = await api.client.get(PODS, headers={b"authorization": header.encode()})

        assert response.status_code == 401
        assert response.json()["message"] == "Unauthorized"

    asked(test)


def test_a_token_dies_with_its_account() -> None:
    async def test(api: Api) -> None:
        bob = await token(api)
        await api.delete(f"{ACCOUNTS}/bob")
        await api.post(ACCOUNTS, {"metadata": {"name": "bob"}})

        assert (await api.get("/version", authorization=bob))["code"] == 401

    asked(test)


def test_anybody_may_ask_for_the_version_and_nobody_without_a_token_for_pods() -> None:
    async def test(api: Api) -> None:
        del api.client.headers["authorization"]

        assert (await api.get("/version"))["gitVersion"] == "v1.34.4"
        refused = await api.get("/api/v1/pods")
        assert refused["message"] == (
            'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group '
            '"" at the cluster scope'
        )

    asked(test)


def test_people_may_ask_what_they_may() -> None:
    async def test(api: Api) -> None:
        bob = await token(api)
        await give(api, "r", {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["patch"]})
        answers = []
        for verb, group, resource in (("patch", "apps", "deployments"), ("get", "", "pods")):
            attributes = {"namespace": "default", "verb": verb, "group": group}
            body = {"spec": {"resourceAttributes": attributes | {"resource": resource}}}
            path = f"{REVIEWS}/selfsubjectaccessreviews"
            response = await api.ask("POST", path, body, authorization=bob)
            answers.append(response.json()["status"]["allowed"])
        who = await api.ask(
            "POST",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            {},
            authorization=bob,
        )

        assert answers == [True, False]
        name = who.json()["status"]["userInfo"]["username"]
        assert name == "system:serviceaccount:default:bob"

    asked(test)


def test_who_may_impersonate_is_taken_for_the_other() -> None:
    async def test(api: Api) -> None:
        bob = await token(api)
        as_bob = {"impersonate_user": "system:serviceaccount:default:bob"}

        assert (await api.get(MAPS, **as_bob))["code"] == 403
        refused = await api.get(MAPS, authorization=bob, impersonate_user="admin")
        assert 'cannot impersonate resource "users"' in refused["message"]

    asked(test)
