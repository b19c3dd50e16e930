"""
Who looks at the page: whoever they say they are, for this Slack has no passwords.

What is checked is that a form was sent from the page: each carries a word that only it can know.
"""

import hashlib
import hmac
import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

PERSON: Final = "person"
_SESSION: Final = "session"


class Sessions:
    """Makes cookies and checks forms."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, request: Request) -> str:
        """Return what a browser is known by, something new if it has nothing."""
        return request.cookies.get(_SESSION) or secrets.token_urlsafe(18)

    def word(self, session: str) -> str:
        """Return what a browser's forms carry."""
        return hmac.new(self._key, session.encode(), hashlib.sha256).hexdigest()

    def is_ours(self, request: Request, word: str) -> bool:
        """Say whether a form was sent from the page."""
        session = request.cookies.get(_SESSION, "")
        return bool(session) and hmac.compare_digest(self.word(session), word)

    def keep(self, response: Response, session: str) -> None:
        self._set(response, _SESSION, session)

    def become(self, response: Response, user: str) -> None:
        self._set(response, PERSON, user)

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(name, value, httponly=True, samesite="lax")
