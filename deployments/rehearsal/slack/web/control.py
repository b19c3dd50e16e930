"""
`/control/TOKEN/...`: what tests of another process may ask for. Real Slack has nothing like it.

Bodies and answers are JSON; a body that makes no sense is answered 400 with {"error": ...}.

    GET    state        messages, ephemerals, views, warnings, groups, sockets, faults and the calls
    POST   press        {user, channel, ts, action_id, block_id?, values?}
    POST   submit       {user, view_id, values?}
    POST   close        {user, view_id}
    POST   command      {user, channel, command, text?}
    POST   event        {event}
    POST   say          {user, channel, text, thread_ts?, metadata?}
    POST   groups       {group, members}: by its id or handle; members null takes the group away
    POST   rates        {factor}: 1 is Slack, less is harsh, null is none
    POST   patience     {seconds}: within which the app has to acknowledge
    POST   request_url  {url}: the empty one is Socket Mode
    POST   faults       {kind, method?, times?, seconds?, status?, error?}; DELETE takes all away
    POST   down         {down}
    POST   sockets      {do: cut | silence | speak | duplicate | reorder | disconnect,
                         times?, reason?}

press, submit, close, command and event wait for the app, and answer
{"outcome": {acknowledged, payload, answer}}.
"""

import dataclasses
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from deployments.rehearsal.slack import interactions
from deployments.rehearsal.slack.errors import UnknownPlace
from deployments.rehearsal.slack.faults import Fault
from deployments.rehearsal.slack.objects import Json, Outcome
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.web.telling import told

S = TypeVar("S", bound=msgspec.Struct)
_Values = dict[str, dict[str, Any]]


class _Press(msgspec.Struct, forbid_unknown_fields=True):
    user: str
    channel: str
    ts: str
    action_id: str
    block_id: str = ""
    values: _Values = {}


class _Submit(msgspec.Struct, forbid_unknown_fields=True):
    user: str
    view_id: str
    values: _Values = {}


class _Close(msgspec.Struct, forbid_unknown_fields=True):
    user: str
    view_id: str


class _Command(msgspec.Struct, forbid_unknown_fields=True):
    user: str
    channel: str
    command: str
    text: str = ""


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    event: Json


class _Say(msgspec.Struct, forbid_unknown_fields=True):
    user: str
    channel: str
    text: str
    thread_ts: str = ""
    metadata: Json | None = None


class _Members(msgspec.Struct, forbid_unknown_fields=True):
    group: str
    members: list[str] | None


class _Rates(msgspec.Struct, forbid_unknown_fields=True):
    factor: float | None


class _Patience(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


class _RequestUrl(msgspec.Struct, forbid_unknown_fields=True):
    url: str


class _Down(msgspec.Struct, forbid_unknown_fields=True):
    down: bool


class _Sockets(msgspec.Struct, forbid_unknown_fields=True):
    do: Literal["cut", "silence", "speak", "duplicate", "reorder", "disconnect"]
    times: int = 2
    reason: str = "refresh_requested"


class Control:
    """Lets tests of another process do what people and bad days do."""

    def __init__(self, slack: Slack, token: str) -> None:
        self._slack = slack
        self._token = token

    def mount(self) -> Mount:
        """Return the routes."""
        posts: dict[str, tuple[type[msgspec.Struct], Callable[[Any], Awaitable[Json]]]] = {
            "press": (_Press, self._press),
            "submit": (_Submit, self._submit),
            "close": (_Close, self._close),
            "command": (_Command, self._command),
            "event": (_Event, self._event),
            "say": (_Say, self._say),
            "groups": (_Members, self._groups),
            "rates": (_Rates, self._rates),
            "patience": (_Patience, self._patience),
            "request_url": (_RequestUrl, self._request_url),
            "down": (_Down, self._down),
            "sockets": (_Sockets, self._sockets),
        }
        routes = [
            Route(f"/{name}", self._taking(kind, do), methods=["POST"])
            for name, (kind, do) in posts.items()
        ]
        routes.append(Route("/faults", self._taking_fault, methods=["POST", "DELETE"]))
        routes.append(Route("/state", self._state, methods=["GET"]))
        return Mount("/control/{token}", routes=routes)

    def _taking(
        self, kind: type[S], do: Callable[[S], Awaitable[Json]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def taking(request: Request) -> Response:
            if not self._is_known(request):
                return _REFUSED
            try:
                return JSONResponse(await do(msgspec.json.decode(await request.body(), type=kind)))
            except (msgspec.DecodeError, UnknownPlace) as error:
                return JSONResponse({"error": str(error)}, 400)

        return taking

    def _is_known(self, request: Request) -> bool:
        given = str(request.path_params["token"]).encode()
        return secrets.compare_digest(given, self._token.encode())

    async def _state(self, request: Request) -> Response:
        return JSONResponse(told(self._slack)) if self._is_known(request) else _REFUSED

    async def _taking_fault(self, request: Request) -> Response:
        if not self._is_known(request):
            return _REFUSED
        if request.method == "DELETE":
            self._slack.faults.clear()
            return JSONResponse({})
        try:
            self._slack.faults.add(msgspec.json.decode(await request.body(), type=Fault))
        except msgspec.DecodeError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({})

    async def _press(self, asked: _Press) -> Json:
        spot = interactions.Spot(
            channel=asked.channel,
            ts=asked.ts,
            action_id=asked.action_id,
            block_id=asked.block_id,
        )
        return _outcome(await interactions.press(self._slack, asked.user, spot, asked.values))

    async def _submit(self, asked: _Submit) -> Json:
        return _outcome(
            await interactions.submit(self._slack, asked.user, asked.view_id, asked.values)
        )

    async def _close(self, asked: _Close) -> Json:
        return _outcome(await interactions.close(self._slack, asked.user, asked.view_id))

    async def _command(self, asked: _Command) -> Json:
        return _outcome(
            await interactions.command(
                self._slack, asked.user, asked.channel, asked.command, asked.text
            )
        )

    async def _event(self, asked: _Event) -> Json:
        return _outcome(await interactions.event(self._slack, asked.event))

    async def _say(self, asked: _Say) -> Json:
        ts = self._slack.say(
            asked.user,
            asked.channel,
            asked.text,
            thread_ts=asked.thread_ts,
            metadata=asked.metadata,
        )
        return {"ts": ts}

    async def _groups(self, asked: _Members) -> Json:
        if asked.members is None:
            self._slack.directory.drop_group(asked.group)
        else:
            self._slack.directory.change_group(asked.group, asked.members)
        return {}

    async def _rates(self, asked: _Rates) -> Json:
        self._slack.limits.factor = asked.factor
        return {}

    async def _patience(self, asked: _Patience) -> Json:
        self._slack.patience = asked.seconds
        return {}

    async def _request_url(self, asked: _RequestUrl) -> Json:
        self._slack.request_url = asked.url
        return {}

    async def _down(self, asked: _Down) -> Json:
        self._slack.go_down(on=asked.down)
        return {}

    async def _sockets(self, asked: _Sockets) -> Json:
        hub = self._slack.hub
        match asked.do:
            case "cut":
                hub.cut()
            case "silence" | "speak":
                hub.silence(on=asked.do == "silence")
            case "duplicate":
                hub.troubles.duplicate = asked.times
            case "reorder":
                hub.troubles.reorder = asked.times
            case "disconnect":
                await hub.disconnect(asked.reason)
        return {}


def _outcome(outcome: Outcome | None) -> Json:
    return {"outcome": dataclasses.asdict(outcome) if outcome else None}


_REFUSED: Final = JSONResponse({"error": "the path lacks the right token"}, 403)
