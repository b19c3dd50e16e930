"""Reviews: questions about oneself that look like objects, and are never kept."""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.responses import Response

from deployments.rehearsal.cluster.access import Access
from deployments.rehearsal.cluster.callers import MASTERS, Caller
from deployments.rehearsal.cluster.objects import Json, object_in, spec_of
from deployments.rehearsal.cluster.rbac import Attributes
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.web.answers import told

_CREATED: Final = 201
_AUTHORIZATION: Final = "authorization.k8s.io"
_AUTHENTICATION: Final = "authentication.k8s.io"


def _review(group: str, kind: str, plural: str, *, namespaced: bool = False) -> Resource:
    return Resource(
        group=group,
        version="v1",
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=namespaced,
    )


ACCESS: Final = _review(_AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews")
RULES: Final = _review(_AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews")
OTHERS: Final = _review(_AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews")
SELF: Final = _review(_AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews")
REVIEWS: Final = (ACCESS, RULES, OTHERS, SELF)


def review(access: Access, resource: Resource, caller: Caller, body: Json) -> Response:
    """Answer a review."""
    kind = {"kind": resource.kind, "apiVersion": resource.api_version}
    status = _ANSWERS[resource](access, caller, spec_of(body))
    metadata = {"creationTimestamp": None}
    answer = body | kind | {"metadata": metadata, "status": status}
    return told(answer, status=_CREATED)


def _access(access: Access, caller: Caller, spec: Json) -> Json:
    wanted = object_in(spec, "resourceAttributes")
    path = object_in(spec, "nonResourceAttributes")
    attributes = Attributes(
        verb=str((wanted or path).get("verb", "")),
        group=str(wanted.get("group", "")),
        resource=str(wanted.get("resource", "")),
        subresource=str(wanted.get("subresource", "")),
        namespace=str(wanted.get("namespace", "")),
        name=str(wanted.get("name", "")),
        path=str(path.get("path", "")),
    )
    return {"allowed": access.rights.allows(caller, attributes)}


def _others(access: Access, _caller: Caller, spec: Json) -> Json:
    other = Caller(name=str(spec.get("user", "")), groups=tuple(spec.get("groups") or ()))
    return _access(access, other, spec)


def _rules(access: Access, caller: Caller, spec: Json) -> Json:
    rules = list(access.rights.rules(caller, str(spec.get("namespace", ""))))
    if MASTERS in caller.groups:
        every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        rules = [every, {"nonResourceURLs": ["*"], "verbs": ["*"]}]
    return {
        "resourceRules": [rule for rule in rules if rule.get("resources")],
        "nonResourceRules": [rule for rule in rules if rule.get("nonResourceURLs")],
        "incomplete": False,
    }


def _self(_access: Access, caller: Caller, _spec: Json) -> Json:
    return {"userInfo": caller.user_info()}


_ANSWERS: Final[Mapping[Resource, Callable[[Access, Caller, Json], Json]]] = {
    ACCESS: _access,
    OTHERS: _others,
    RULES: _rules,
    SELF: _self,
}
