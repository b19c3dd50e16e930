"""
Slack's rates: so many calls of a method in a minute, and a message a second in a channel.

A factor scales them: 1 is Slack, 0.1 is harsh, and None does not limit at all.
"""

import math
from collections import defaultdict, deque
from typing import Final

from deployments.rehearsal.slack.errors import RateLimited
from deployments.rehearsal.slack.times import Now

TIERS: Final = {1: 1, 2: 20, 3: 50, 4: 100}  # calls in a minute
SPECIAL: Final = 600  # "hundreds of requests a minute"
_MINUTE: Final = 60.0
_BURST: Final = 5  # messages that may come at once in a channel


class Limits:
    """Counts the calls."""

    def __init__(self, now: Now, *, factor: float | None) -> None:
        self.factor = factor
        self._now = now
        self._calls: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._posts: dict[str, tuple[float, float]] = {}  # what may still come, and when that was

    def take(self, method: str, token: str, *, allowed: int) -> None:
        """Count one call. Raises RateLimited."""
        if self.factor is None:
            return
        now, most = self._now(), max(1, round(allowed * self.factor))
        calls = self._calls[method, token]
        while calls and calls[0] <= now - _MINUTE:
            calls.popleft()
        if len(calls) >= most:
            raise RateLimited(max(1, math.ceil(calls[0] + _MINUTE - now)))
        calls.append(now)

    def post(self, channel: str) -> None:
        """Count one message in a channel. Raises RateLimited."""
        if self.factor is None:
            return
        now, burst = self._now(), max(1.0, _BURST * self.factor)
        left, since = self._posts.get(channel, (burst, now))
        left = min(burst, left + (now - since) * self.factor)
        if left < 1:
            self._posts[channel] = (left, now)
            raise RateLimited(max(1, math.ceil((1 - left) / self.factor)))
        self._posts[channel] = (left - 1, now)
