"""One call of one webhook: an AdmissionReview there and back."""

import base64
import binascii
import uuid
from typing import Any, Final, cast

import msgspec

from deployments.rehearsal.cluster.errors import ApiError, internal
from deployments.rehearsal.cluster.network import Network, NoEndpoint
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.patching import json_patched
from deployments.rehearsal.cluster.programs import Request, Response

_PORT: Final = 443
_TIMEOUT: Final = 10
_OK: Final = 200
_REFUSED: Final = 400


class CallFailed(Exception):  # what failed is the call, and it may be ignored
    """A webhook did not give a valid answer; the message says why, as the real server does."""


async def answer_of(network: Network, webhook: Json, request: Json) -> Json:
    """Return a webhook's response. Raises CallFailed."""
    uid = str(uuid.uuid4())
    review = {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": uid} | request,
    }
    response = await _post(network, webhook, msgspec.json.encode(review))
    try:
        found = msgspec.json.decode(response.body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CallFailed(f"failed to call webhook: {error}") from error
    return _checked(found, uid)


async def _post(network: Network, webhook: Json, body: bytes) -> Response:
    client = cast("Json", webhook.get("clientConfig") or {})
    service = cast("Json", client.get("service") or {})
    timeout = int(webhook.get("timeoutSeconds", _TIMEOUT))
    path = f"/{str(service.get('path', '')).lstrip('/')}?timeout={timeout}s"
    name, namespace = str(service.get("name", "")), str(service.get("namespace", ""))
    port = int(service.get("port", _PORT))
    url = f"https://{name}.{namespace}.svc:{port}{path}" if service else client.get("url", "")
    failed = f'failed to call webhook: Post "{url}"'
    if not service:
        raise CallFailed(f"{failed}: nothing is reachable from here but Services")
    request = Request(
        port=port,
        method="POST",
        path=path,
        headers={"content-type": "application/json", "host": f"{name}.{namespace}.svc:{port}"},
        body=body,
    )
    try:
        network.endpoint(name, namespace, port)
        if not client.get("caBundle"):
            raise CallFailed(
                f"{failed}: tls: failed to verify certificate: x509: certificate signed by "
                "unknown authority"
            )
        response = await network.call(name, namespace, port, request, timeout=timeout)
    except NoEndpoint as error:
        raise CallFailed(f"{failed}: {error}") from error
    except TimeoutError as error:
        raise CallFailed(f"{failed}: context deadline exceeded") from error
    except OSError as error:
        raise CallFailed(f"{failed}: dial tcp: connect: connection refused") from error
    if response.status != _OK:
        raise CallFailed(f"failed to call webhook: {_unexpected(response)}")
    return response


def _unexpected(response: Response) -> str:
    text = response.body.decode(errors="replace").strip()
    if response.status >= 500:
        return f'an error on the server ("{text}") has prevented the request from succeeding'
    return "the server rejected our request for an unknown reason"


def _checked(review: Json, uid: str) -> Json:
    invalid = "received invalid webhook response: "
    response = review.get("response")
    if not isinstance(response, dict):
        raise CallFailed(f"{invalid}webhook response was absent")
    found = cast("Json", response)
    if found.get("uid") != uid:
        raise CallFailed(f'{invalid}expected response.uid="{uid}", got "{found.get("uid", "")}"')
    if found.get("patch") and found.get("patchType") != "JSONPatch":
        raise CallFailed(f"{invalid}webhook returned response.patch but not response.patchType")
    return found


def patch_of(webhook: Json, answer: Json, obj: Json) -> Json:
    """Return the object as a webhook's answer changes it; the same one if it does not."""
    if not answer.get("patch"):
        return obj
    try:
        patch = msgspec.json.decode(base64.b64decode(str(answer["patch"])))
        changed = json_patched(obj, patch)
    except (binascii.Error, msgspec.DecodeError, ApiError) as error:
        text = f'failed calling webhook "{webhook["name"]}": received undecodable patch in webhook'
        raise internal(f"{text} response: {error}") from error
    return obj if changed == obj else changed


def refusal(webhook: Json, answer: Json) -> ApiError:
    """Return the error that a webhook's "no" is."""
    result = cast("Json", answer.get("status") or {})
    text = f'admission webhook "{webhook["name"]}" denied the request'
    why = result.get("message") or result.get("reason")
    text = f"{text}: {why}" if why else f"{text} without explanation"
    code = max(int(result.get("code") or 0), _REFUSED)
    return ApiError(code, str(result.get("reason", "")), text, details=result.get("details"))
