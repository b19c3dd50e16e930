"""The page on which people read and press: plain forms, which work without JavaScript."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from deployments.rehearsal.slack import interactions
from deployments.rehearsal.slack.blocks.checking import elements_of
from deployments.rehearsal.slack.errors import UnknownPlace
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.web.mrkdwn import Rendering, is_web, plain
from deployments.rehearsal.slack.web.seeing import channels_of, digest, seen
from deployments.rehearsal.slack.web.sessions import PERSON, Sessions
from deployments.rehearsal.slack.workspace import Channel

_TEMPLATES: Final = Path(__file__).parent / "templates"
_FILLED: Final = "v:"  # what fields of blocks are called: v:BLOCK:ACTION, each quoted
_MANY: Final = "[]"  # not left over from quoting
_SEE_OTHER: Final = 303
Form = dict[str, list[str]]


class Page:
    """Shows a workspace to people, and takes what they do."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._sessions = Sessions()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        rendering = Rendering(slack.directory)
        self._templates.filters |= {
            "text": rendering.text,
            "mrkdwn": rendering.mrkdwn,
            "plain": plain,
        }
        self._templates.tests["web"] = is_web

    def routes(self) -> list[Route]:
        posts: dict[str, Callable[[str, Form], Awaitable[Response]]] = {
            "press": self._press,
            "submit": self._submit,
            "close": self._close,
            "type": self._type,
            "dismiss": self._dismiss,
        }
        return [
            Route("/", self._show),
            Route("/page/digest", self._digest),
            Route("/page/visit", self._visit),
            Route("/page/person", self._become, methods=["POST"]),
            *(
                Route(f"/page/{name}", self._taking(do), methods=["POST"])
                for name, do in posts.items()
            ),
        ]

    async def _show(self, request: Request) -> Response:
        """Show what a person sees, or ask who one is."""
        session, nonce = self._sessions.of(request), secrets.token_urlsafe(12)
        user = self._user(request)
        common: Json = {
            "nonce": nonce,
            "word": self._sessions.word(session),
            "workspace": self._slack.workspace,
            "people": [one for one in self._slack.workspace.people if not one.deleted],
            "handles_of": self._slack.directory.handles_of,
            "user": user,
        }
        channel = self._channel(user, request.query_params.get("channel", ""))
        if channel is None:
            html = self._templates.get_template("person.html").render(common)
        else:
            sight = seen(self._slack, user, channel, request.query_params.get("thread", ""))
            here = _query(channel.id, sight["thread_ts"])
            html = self._templates.get_template("channel.html").render(
                common
                | sight
                | {
                    "channel": channel,
                    "channels": channels_of(self._slack, user),
                    "digest": digest(sight),
                    "here": here,
                    "person": self._slack.directory.person(user),
                    "commands": self._slack.app.commands,
                }
            )
        response = HTMLResponse(html, headers=_headers(nonce))
        self._sessions.keep(response, session)
        return response

    async def _digest(self, request: Request) -> Response:
        user = self._user(request)
        channel = self._channel(user, request.query_params.get("channel", ""))
        if channel is None:
            return PlainTextResponse("")
        sight = seen(self._slack, user, channel, request.query_params.get("thread", ""))
        return PlainTextResponse(digest(sight), headers={"Cache-Control": "no-store"})

    async def _become(self, request: Request) -> Response:
        form = await _form(request)
        if not self._sessions.is_ours(request, _one(form, "word")):
            return _FORGED
        response = RedirectResponse("/", _SEE_OTHER)
        self._sessions.become(response, _one(form, "user"))
        return response

    def _taking(
        self, do: Callable[[str, Form], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers a form: nothing happens unless it was sent from the page."""

        async def taking(request: Request) -> Response:
            form, user = await _form(request), self._user(request)
            if not user or not self._sessions.is_ours(request, _one(form, "word")):
                return _FORGED
            try:
                return await do(user, form)
            except UnknownPlace as error:
                self._slack.warnings[user].append(str(error))
                return _back(form)

        return taking

    async def _press(self, user: str, form: Form) -> Response:
        await interactions.press(self._slack, user, _spot(form), _values(form))
        return _back(form)

    async def _visit(self, request: Request) -> Response:
        """Follow a button that leads elsewhere: the app is told, and nobody waits for it."""
        form: Form = parse_qs(request.url.query, keep_blank_values=True)
        user = self._user(request)
        if not user or not self._sessions.is_ours(request, _one(form, "word")):
            return _FORGED
        spot = _spot(form)
        url = self._url(user, spot)
        if not is_web(url):
            return _back(form)
        told = asyncio.create_task(interactions.press(self._slack, user, spot))
        self._under_way.add(told)
        told.add_done_callback(self._under_way.discard)
        return RedirectResponse(url, _SEE_OTHER, headers={"Referrer-Policy": "no-referrer"})

    async def _submit(self, user: str, form: Form) -> Response:
        await interactions.submit(self._slack, user, _one(form, "view_id"), _values(form))
        return _back(form)

    async def _close(self, user: str, form: Form) -> Response:
        await interactions.close(self._slack, user, _one(form, "view_id"))
        return _back(form)

    async def _type(self, user: str, form: Form) -> Response:
        """Take what was typed: a slash command, or something to say."""
        text, channel = _one(form, "text").strip(), _one(form, "channel")
        thread = _one(form, "thread_ts")
        if text.startswith("/") and thread:
            self._slack.warnings[user].append("Slash commands are not supported in threads. Sorry!")
        elif text.startswith("/"):
            name, _, rest = text.partition(" ")
            await interactions.command(self._slack, user, channel, name, rest.strip())
        elif text:
            self._slack.say(user, channel, _sent(text), thread_ts=thread)
        return _back(form)

    async def _dismiss(self, user: str, form: Form) -> Response:
        self._slack.warnings[user].clear()
        return _back(form)

    def _url(self, user: str, spot: interactions.Spot) -> str:
        """Return where a button leads; nowhere if that person sees none."""
        try:
            message = interactions.seen(self._slack, spot.channel, spot.ts, user)
        except UnknownPlace:
            return ""
        for block in message.blocks:
            for one in elements_of(block):
                if (block["block_id"], one.get("action_id")) == (spot.block_id, spot.action_id):
                    return str(one.get("url", ""))
        return ""

    def _user(self, request: Request) -> str:
        user = request.cookies.get(PERSON, "")
        return user if any(user == one.id for one in self._slack.workspace.people) else ""

    def _channel(self, user: str, name: str) -> Channel | None:
        """Return the channel of that name, or the first one; None if nobody looks."""
        found = channels_of(self._slack, user)
        return next((one for one in found if one.id == name), found[0] if found else None)


async def _form(request: Request) -> Form:
    body = await request.body()
    return parse_qs(body.decode(errors="replace"), keep_blank_values=True)


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[-1]


def _values(form: Form) -> dict[str, dict[str, Any]]:
    """Return what was filled in. A field of which there are several, or may be, ends in []."""
    found: dict[str, dict[str, Any]] = {}
    for name, given in form.items():
        if not name.startswith(_FILLED) or given == [""]:
            continue
        many = name.endswith(_MANY)
        block, action = _place(name.removeprefix(_FILLED).removesuffix(_MANY))
        found.setdefault(block, {})[action] = given if many else given[-1]
    return found


def _place(quoted: str) -> tuple[str, str]:
    """Return the block and the action that a field or a button stands for."""
    block, _, action = quoted.partition(":")
    return unquote(block), unquote(action)


def _spot(form: Form) -> interactions.Spot:
    block, action = _place(_one(form, "press"))
    return interactions.Spot(
        channel=_one(form, "channel"), ts=_one(form, "ts"), action_id=action, block_id=block
    )


def _sent(text: str) -> str:
    """Return what a person typed as Slack's own clients send it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _query(channel: str, thread: str) -> str:
    return urlencode({"channel": channel} | ({"thread": thread} if thread else {}))


def _back(form: Form) -> Response:
    return RedirectResponse(f"/?{_query(_one(form, 'channel'), _one(form, 'thread'))}", _SEE_OTHER)


def _headers(nonce: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


_FORGED: Final = PlainTextResponse("this form was not sent from the page", 403)
