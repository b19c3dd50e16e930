"""The other way to tell an app: a signed POST to its request URL, which it answers at once."""

import asyncio
import hashlib
import hmac
import http.client
import json
from typing import Final
from urllib.parse import urlencode, urlsplit

from deployments.rehearsal.slack.objects import Json, object_of
from deployments.rehearsal.slack.times import Now

_FORM: Final = "application/x-www-form-urlencoded"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what Slack signs a request with."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def body_of(kind: str, payload: Json) -> tuple[bytes, str]:
    """Return the body and its type: events are JSON, commands forms, all else JSON in a form."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    if kind == "slash_commands":
        return urlencode(payload).encode(), _FORM
    return urlencode({"payload": json.dumps(payload)}).encode(), _FORM


async def post(
    url: str, body: bytes, kind: str, *, secret: str, now: Now, patience: float
) -> Json | None:
    """Tell the app; return what it answered, or None if that was not in time or not 200."""
    timestamp = str(int(now()))
    headers = {
        "Content-Type": kind,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(secret, timestamp, body),
    }
    try:
        async with asyncio.timeout(patience):
            return await asyncio.to_thread(_post, url, body, headers, patience)
    except (TimeoutError, OSError, http.client.HTTPException):
        return None


def _post(url: str, body: bytes, headers: dict[str, str], patience: float) -> Json | None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=patience)
    try:
        path = parts.path or "/"
        connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if answer.status != http.client.OK:
        return None
    return _read(text)


def _read(text: str) -> Json:
    """Return what was answered: JSON, or a text that is shown as it is."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {"text": text}
    return object_of(found) or ({} if found == {} else {"text": text})
