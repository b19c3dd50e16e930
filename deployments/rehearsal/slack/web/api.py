"""The Web API and response URLs over HTTP, and what befalls their calls on purpose."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from deployments.rehearsal.slack.errors import RateLimited, Refused
from deployments.rehearsal.slack.faults import Fault, Kind
from deployments.rehearsal.slack.methods.calling import call, scopes_of
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.responses import respond
from deployments.rehearsal.slack.state import Call, Slack
from deployments.rehearsal.slack.web.hanging_up import hang_up
from deployments.rehearsal.slack.web.reading import arguments_of, token_of

RESPONSE_URL: Final = "response_url"  # what response URLs are called in faults and in the log
_GONE: Final = frozenset({"expired_url", "invalid_url", "used_url"})
_LOST, _HUNG_UP = 0, "no_answer"


class Api:
    """Answers calls."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def call(self, request: Request) -> Response:
        """Answer `/api/METHOD`."""
        slack, name = self._slack, request.path_params["method"]
        try:
            arguments = await arguments_of(request)
        except Refused as error:
            return _refusal(error)
        token = token_of(request, arguments)
        arguments.pop("token", None)
        answered = await self._befallen(
            request, name, arguments, lambda: JSONResponse(call(slack, name, token, arguments))
        )
        answered.headers["x-oauth-scopes"] = ",".join(scopes_of(slack, token))
        return answered

    async def respond(self, request: Request) -> Response:
        """Answer what is sent to a response URL."""
        name = f"{request.path_params['number']}/{request.path_params['secret']}"
        try:
            arguments = await arguments_of(request)
        except Refused as error:
            return _refusal(error)

        def responded() -> Response:
            respond(self._slack, name, arguments)
            return PlainTextResponse("ok")

        return await self._befallen(request, RESPONSE_URL, arguments, responded)

    async def _befallen(
        self, request: Request, name: str, arguments: Json, effect: Callable[[], Response]
    ) -> Response:
        """Let happen what is to befall the call, and else what it asks for."""
        faults: dict[Kind, Fault] = {one.kind: one for one in self._slack.faults.take(name)}
        if "delay" in faults:
            await asyncio.sleep(faults["delay"].seconds)
        if "refuse" in faults or self._slack.faults.is_down:
            return self._lost(request, name, arguments)
        response, error = _instead(faults) or _answer(effect)
        if "lose-answer" in faults:
            return self._lost(request, name, arguments)
        self._note(name, response.status_code, error, arguments)
        return response

    def _lost(self, request: Request, name: str, arguments: Json) -> Response:
        self._note(name, _LOST, _HUNG_UP, arguments)
        hang_up(request.receive)
        return Response()  # nobody reads it

    def _note(self, name: str, status: int, error: str, arguments: Json) -> None:
        slack = self._slack
        slack.note(
            Call(at=slack.now(), method=name, status=status, error=error, arguments=arguments)
        )


def _answer(effect: Callable[[], Response]) -> tuple[Response, str]:
    try:
        return effect(), ""
    except Refused as error:
        return _refusal(error), error.error
    except RateLimited as error:
        return _limited(error.retry_after), "ratelimited"


def _instead(faults: Mapping[Kind, Fault]) -> tuple[Response, str] | None:
    """Return what a call is answered with, that does not come about."""
    if found := faults.get("status"):
        return PlainTextResponse("upstream is not well", found.status), f"http_{found.status}"
    if found := faults.get("ratelimited"):
        return _limited(max(1, int(found.seconds))), "ratelimited"
    if found := faults.get("error"):
        return _refusal(Refused(found.error)), found.error
    return None


def _limited(seconds: int) -> Response:
    return JSONResponse(
        {"ok": False, "error": "ratelimited"}, 429, headers={"Retry-After": str(seconds)}
    )


def _refusal(error: Refused) -> Response:
    status = 404 if error.error in _GONE else 200
    return JSONResponse({"ok": False, "error": error.error} | error.more, status)
