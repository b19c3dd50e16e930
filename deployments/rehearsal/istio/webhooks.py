"""The two questions that the API server asks an istiod: whether to inject, and what is valid."""

import json
from typing import Final, cast

from deployments.rehearsal.cluster.objects import Json, namespace_of
from deployments.rehearsal.cluster.programs import Request, Response
from deployments.rehearsal.istio import injector, validator
from deployments.rehearsal.istio.injector import Injector
from deployments.rehearsal.istio.metrics import Metrics
from deployments.rehearsal.istio.mood import Mood
from deployments.rehearsal.istio.settings import SettingsReader

_JSON: Final = {"Content-Type": "application/json"}
_TEXT: Final = {"Content-Type": "text/plain; charset=utf-8"}


class Webhooks:
    """One istiod's."""

    def __init__(
        self, injector: Injector, settings: SettingsReader, *, metrics: Metrics, mood: Mood
    ) -> None:
        self._injector = injector
        self._settings = settings
        self._metrics = metrics
        self._mood = mood

    def answer(self, path: str, request: Request) -> Response | None:
        """Answer an AdmissionReview; None if nothing of ours is at that path."""
        if path.startswith("/inject"):
            judge = self._inject
        elif path.startswith("/validate"):
            judge = self._validate
        else:
            return None
        try:
            answer = judge(cast("Json", json.loads(request.body)["request"]))
        except (ValueError, KeyError, TypeError) as error:
            return Response(
                status=400, headers=_TEXT, body=f"could not decode body: {error}\n".encode()
            )
        return Response(headers=_JSON, body=json.dumps(answer).encode())

    def _inject(self, review: Json) -> Json:
        self._metrics.count("sidecar_injection_requests_total")
        pod: Json = review["object"]
        namespace = str(review.get("namespace") or namespace_of(pod))
        settings = self._settings.read()
        is_wanted = self._injector.is_wanted(pod, namespace, settings)
        if not is_wanted or self._mood.loses_sidecar(pod):
            self._metrics.count("sidecar_injection_skip_total")
            return injector.response(review["uid"], None, None)
        changed = self._injector.injected(pod, namespace, settings)
        self._metrics.count("sidecar_injection_success_total")
        return injector.response(review["uid"], pod, changed)

    def _validate(self, review: Json) -> Json:
        answer = validator.response(review["uid"], cast("Json", review.get("object") or {}))
        is_allowed = answer["response"]["allowed"]
        self._metrics.count(f"galley_validation_{'passed' if is_allowed else 'failed'}")
        return answer
