"""One call of the Web API, from its token to its answer."""

from collections.abc import Mapping
from typing import Final

from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.methods import chat, conversations, people, views
from deployments.rehearsal.slack.methods.method import Method
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.state import Slack

METHODS: Final[Mapping[str, Method]] = (
    chat.METHODS | conversations.METHODS | people.METHODS | views.METHODS
)


def call(slack: Slack, name: str, token: str, arguments: Json) -> Json:
    """Return the answer. Raises Refused and RateLimited."""
    method = METHODS.get(name)
    if method is None:
        raise Refused("unknown_method", req_method=name)
    if not method.for_anyone:
        _check_token(slack, method, token)
    slack.limits.take(name, token, allowed=method.allowed)
    return {"ok": True} | method.run(slack, arguments)


def scopes_of(slack: Slack, token: str) -> tuple[str, ...]:
    """Return what a token may do; nothing if it is not known."""
    app = slack.app
    if token == app.bot_token:
        return app.bot_scopes
    return app.app_scopes if token == app.app_token else ()


def _check_token(slack: Slack, method: Method, token: str) -> None:
    if not token:
        raise Refused("not_authed")
    if token not in {slack.app.bot_token, slack.app.app_token}:
        raise Refused("invalid_auth")
    if (token == slack.app.app_token) != method.for_app:
        raise Refused("not_allowed_token_type")
    provided = scopes_of(slack, token)
    if method.scopes and not set(method.scopes) & set(provided):
        raise Refused("missing_scope", needed=method.scopes[0], provided=",".join(provided))
