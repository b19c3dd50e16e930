"""Everything that is on the socket."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route, WebSocketRoute

from deployments.rehearsal.slack.payloads import RESPONSES
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.web.api import Api
from deployments.rehearsal.slack.web.control import Control
from deployments.rehearsal.slack.web.link import Link
from deployments.rehearsal.slack.web.page import Page

# No name that somebody else's page could let lead here.
_HOSTS = ("127.0.0.1", "localhost")


def application(slack: Slack, control_token: str) -> Starlette:
    """Return a Slack as an ASGI application."""
    api = Api(slack)
    return Starlette(
        routes=[
            Route("/api/{method}", api.call, methods=["GET", "POST"]),
            Route(RESPONSES + "{number}/{secret}", api.respond, methods=["POST"]),
            WebSocketRoute("/link", Link(slack)),
            Control(slack, control_token).mount(),
            *Page(slack).routes(),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(_HOSTS))],
    )
