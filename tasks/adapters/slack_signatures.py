"""
Slack's signature under what it sends by HTTP, believed once.

slack-sdk checks it, but raises whatever junk makes it stumble over, and takes the same request again
for five minutes.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from slack_sdk.signature import Clock, SignatureVerifier

from tasks.domain.errors import RefusedError

_VALID: Final = 300  # seconds before and after the moment that Slack names
_MOST: Final = 20_000  # requests that were signed within that time
_SIGNATURE: Final = "x-slack-signature"
_REFUSAL: Final = "the request is not signed by Slack, or it is too old"


class _At(Clock):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


class SlackSignatures:
    """Checks requests, and remembers them for as long as they would be taken again."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._seen: OrderedDict[str, float] = OrderedDict()

    def verify(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> None:
        """Return if Slack signed this just now, and it was not here before. Raises RefusedError."""
        if not self._is_signed(body, headers, at=now.timestamp()):
            raise RefusedError(_REFUSAL)
        signature = next(value for name, value in headers.items() if name.lower() == _SIGNATURE)
        self._forget(now.timestamp())
        if signature in self._seen:
            raise RefusedError("the request was here before")
        if len(self._seen) >= _MOST:
            raise RefusedError("too many requests at once to tell new ones from old ones")
        self._seen[signature] = now.timestamp()

    def _is_signed(self, body: bytes, headers: Mapping[str, str], *, at: float) -> bool:
        try:
            verifier = SignatureVerifier(self._secret, clock=_At(at))
            return verifier.is_valid_request(body, dict(headers))
        except (OverflowError, TypeError, ValueError):  # UnicodeDecodeError is one of the latter
            return False

    def _forget(self, now: float) -> None:
        # Slack's moment may lie as far ahead of ours as behind it.
        while self._seen and next(iter(self._seen.values())) < now - 2 * _VALID:
            self._seen.popitem(last=False)
