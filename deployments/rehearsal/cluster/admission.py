"""
Admission by webhooks: calling those that a request concerns, and what their answers do to it.

As in the real API server: mutating webhooks one after the other, and once more if one of them asked
for it and a later one changed the object; then the validating ones, all at once. A webhook that
cannot be called fails the request unless its failurePolicy is Ignore.
"""

import asyncio
from dataclasses import dataclass, replace

from deployments.rehearsal.cluster.asking import Asked, Operation
from deployments.rehearsal.cluster.errors import bad_request, internal
from deployments.rehearsal.cluster.network import Network
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from deployments.rehearsal.cluster.store import Store
from deployments.rehearsal.cluster.webhook_calls import CallFailed, answer_of, patch_of, refusal
from deployments.rehearsal.cluster.webhook_rules import interested


@dataclass(frozen=True, slots=True)
class Review:
    """What is to be admitted: a request, the object as it would be, and as it is."""

    asked: Asked
    operation: Operation
    object: Json | None
    old: Json | None

    @property
    def objects(self) -> list[Json]:
        return [obj for obj in (self.object, self.old) if obj is not None]


class Admission:
    """Asks the webhooks of a cluster."""

    def __init__(self, store: Store, network: Network) -> None:
        self._store = store
        self._network = network

    async def mutate(self, review: Review) -> Json:
        """Return the object as the mutating webhooks leave it. Raises ApiError if one refuses."""
        obj = review.object
        if obj is None:
            raise ValueError("there is nothing to mutate")
        seen: dict[str, Json] = {}  # what each webhook left that wants to be asked again
        for is_repeated in (False, True):
            start = obj
            for webhook in self._interested(MUTATING_WEBHOOKS, replace(review, object=obj)):
                name = str(webhook["name"])
                if is_repeated and seen.get(name, obj) is obj:
                    continue
                obj = await self._mutated(webhook, replace(review, object=obj))
                if webhook.get("reinvocationPolicy") == "IfNeeded":
                    seen[name] = obj
            if obj is start:
                break
        return obj

    async def validate(self, review: Review) -> None:
        """Ask the validating webhooks. Raises ApiError if one refuses."""
        webhooks = self._interested(VALIDATING_WEBHOOKS, review)
        answers = await asyncio.gather(
            *(self._answer(webhook, review) for webhook in webhooks), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    def _interested(self, kind: Resource, review: Review) -> list[Json]:
        return list(interested(self._store, kind, review.asked, review.operation, review.objects))

    async def _mutated(self, webhook: Json, review: Review) -> Json:
        answer = await self._answer(webhook, review)
        obj = review.object or {}
        return obj if answer is None else patch_of(webhook, answer, obj)

    async def _answer(self, webhook: Json, review: Review) -> Json | None:
        """Return a webhook's consent; None if it could not be called and need not be."""
        if review.asked.dry_run and webhook.get("sideEffects") not in {"None", "NoneOnDryRun"}:
            raise bad_request(f'admission webhook "{webhook["name"]}" does not support dry run')
        try:
            answer = await answer_of(self._network, webhook, review_body(review))
        except CallFailed as error:
            if webhook.get("failurePolicy", "Fail") == "Ignore":
                return None
            text = f'failed calling webhook "{webhook["name"]}": {error}'
            raise internal(text) from error
        if not answer.get("allowed"):
            raise refusal(webhook, answer)
        return answer


def review_body(review: Review) -> Json:
    """Return the `request` of an AdmissionReview, but for its uid."""
    asked = review.asked
    resource = asked.resource
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    what = {"group": resource.group, "version": resource.version, "resource": resource.plural}
    request: Json = {"kind": kind, "resource": what, "requestKind": kind, "requestResource": what}
    if asked.subresource:
        request |= {"subResource": asked.subresource, "requestSubResource": asked.subresource}
    if asked.name:
        request["name"] = asked.name
    if asked.namespace:
        request["namespace"] = asked.namespace
    options = {"kind": f"{review.operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"}
    return request | {
        "operation": review.operation.value,
        "userInfo": asked.caller.user_info(),
        "object": review.object,
        "oldObject": review.old,
        "dryRun": asked.dry_run,
        "options": options | ({"dryRun": ["All"]} if asked.dry_run else {}),
    }
