"""Requests as Slack signs them, and everything that only looks like it."""

import hashlib
import hmac
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tasks.adapters.slack_signatures import SlackSignatures
from tasks.domain.errors import RefusedError

SECRET = "8f742231b10e8888-never-shown"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BODY = b"payload=%7B%7D"


def signed(
    body: bytes = BODY, *, at: datetime = NOW, secret: str = SECRET, stamp: str | None = None
) -> Mapping[str, str]:
    stamp = str(int(at.timestamp())) if stamp is None else stamp
    base = b"v0:" + stamp.encode() + b":" + body
    signature = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}"}


def test_what_slack_signed_is_taken_once() -> None:
    signatures = SlackSignatures(SECRET)
    signatures.verify(BODY, signed(), now=NOW)
    for later in (timedelta(), timedelta(seconds=299)):
        with pytest.raises(RefusedError, match="was here before"):
            signatures.verify(BODY, signed(), now=NOW + later)


def test_a_request_of_the_future_is_remembered_until_it_is_too_old() -> None:
    signatures = SlackSignatures(SECRET)
    headers = signed(at=NOW + timedelta(seconds=300))
    signatures.verify(BODY, headers, now=NOW)
    with pytest.raises(RefusedError, match="was here before"):
        signatures.verify(BODY, headers, now=NOW + timedelta(seconds=600))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(BODY, {}, id="nothing"),
        pytest.param(b"payload=1", signed(), id="another body"),
        pytest.param(BODY, signed(secret="other"), id="another secret"),
        pytest.param(BODY, signed(at=NOW - timedelta(seconds=301)), id="old"),
        pytest.param(BODY, signed(at=NOW + timedelta(seconds=301)), id="of the future"),
        pytest.param(BODY, signed(stamp="soon"), id="no number"),
        pytest.param(BODY, signed(stamp="1767268800.5"), id="no whole number"),
        pytest.param(BODY, signed(stamp="9" * 400), id="a large number"),
        pytest.param(BODY, signed(stamp="9" * 5000), id="a number that is too long to read"),
        pytest.param(BODY, {**signed(), "X-Slack-Signature": "v0=é"}, id="not ASCII"),
        pytest.param(BODY, {**signed(), "X-Slack-Signature": ""}, id="empty"),
        pytest.param(b"\xff", signed(b"\xff"), id="not UTF-8"),
    ],
)
def test_everything_else_is_refused_alike_and_not_shown(
    body: bytes, headers: Mapping[str, str]
) -> None:
    with pytest.raises(RefusedError, match="not signed by Slack") as caught:
        SlackSignatures(SECRET).verify(body, headers, now=NOW)
    shown = "".join(traceback.format_exception(caught.value))
    assert "never-shown" not in shown
    assert "payload" not in shown


def test_headers_come_in_any_case() -> None:
    headers = {name.lower(): value for name, value in signed().items()}
    SlackSignatures(SECRET).verify(BODY, headers, now=NOW)


def test_what_is_too_old_is_forgotten_and_too_much_at_once_is_refused() -> None:
    signatures = SlackSignatures(SECRET)
    for number in range(20_000):
        body = str(number).encode()
        signatures.verify(body, signed(body), now=NOW)
    with pytest.raises(RefusedError, match="too many"):
        signatures.verify(BODY, signed(), now=NOW)
    later = NOW + timedelta(seconds=601)
    signatures.verify(BODY, signed(at=later), now=later)
