"""How Slack says no."""

from typing import Any


class Refused(Exception):
    """The answer `{"ok": false, "error": ...}`, with what else it says."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more


class RateLimited(Exception):
    """Too many calls: the answer 429, with the seconds after which one may ask again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"ratelimited for {retry_after} s")
        self.retry_after = retry_after


class UnknownPlace(Exception):
    """A person pressed something that is not there: a mistake of the test, or an old page."""
