"""Looking at what the gatekeeper needs of Slack, part by part. Posts nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tasks import wiring
from tasks.domain.documents import Examined
from tasks.domain.errors import BadInputError, UpgradeError
from tasks.domain.slack import Bot
from tasks.domain.slack_methods import APP_SCOPE, BOT_SCOPES

Secrets = Callable[[str, str, str], bytes]

_MANIFEST: Final = "deployments/slack/manifest.yaml names them all"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackNeeds:
    """What the gatekeeper is to use; secrets by reference, channels and groups by id."""

    url: str
    bot_token: str
    app_token: str | None = None  # None: Slack is heard by HTTP
    signing_secret: str | None = None  # None: Slack is heard by a socket
    channels: Sequence[str] = ()
    groups: Sequence[str] = ()


class _Slack(Protocol):
    async def auth_test(self) -> Bot: ...
    async def check_channel(self, channel: str) -> None: ...
    async def members(self, group: str) -> frozenset[str]: ...


def examine_slack(needs: SlackNeeds, *, secrets: Secrets) -> tuple[Examined, ...]:
    """Return what is in order and what is not; `secrets` reads a value of a cluster's Secret."""
    return asyncio.run(_examine(needs, secrets))


async def _examine(needs: SlackNeeds, secrets: Secrets) -> tuple[Examined, ...]:
    found = list(await _with_the_bots_token(needs, secrets))
    if needs.app_token is not None:
        connecting = _connecting(needs.app_token, needs.url, secrets)
        found.append(await _examined("Slack app token", connecting))
    if needs.signing_secret is not None:
        found.append(
            await _examined("Slack signing secret", _signing(needs.signing_secret, secrets))
        )
    return tuple(found)


async def _with_the_bots_token(needs: SlackNeeds, secrets: Secrets) -> Sequence[Examined]:
    what = "Slack bot token"
    try:
        async with wiring.slack(needs.bot_token, url=needs.url, secrets=secrets) as slack:
            bot = await slack.auth_test()
            return [
                Examined(what=what, is_good=True, text=f"bot {bot.user} of workspace {bot.team}"),
                await _examined("Slack scopes", _scopes(bot)),
                *[
                    await _examined(f"Slack channel {c}", _channel(slack, c))
                    for c in needs.channels
                ],
                *[await _examined(f"Slack group {g}", _group(slack, g)) for g in needs.groups],
            ]
    except UpgradeError as error:
        return [_bad(what, error)]


async def _examined(what: str, look: Awaitable[str]) -> Examined:
    try:
        return Examined(what=what, is_good=True, text=await look)
    except UpgradeError as error:
        return _bad(what, error)


def _bad(what: str, error: UpgradeError) -> Examined:
    # Slack's errors say what helps after a semicolon.
    text, _, todo = str(error).partition("; ")
    return Examined(what=what, is_good=False, text=text, todo=todo)


async def _scopes(bot: Bot) -> str:
    if missing := BOT_SCOPES - bot.scopes:
        raise BadInputError(
            f"missing: {', '.join(sorted(missing))}; add them to the app and install it again, "
            f"{_MANIFEST}"
        )
    if more := bot.scopes - BOT_SCOPES:
        return f"complete, and not needed: {', '.join(sorted(more))}"
    return "complete"


async def _channel(slack: _Slack, channel: str) -> str:
    await slack.check_channel(channel)
    return "the bot is a member"


async def _group(slack: _Slack, group: str) -> str:
    members = await slack.members(group)
    if not members:
        raise BadInputError("nobody is in it; put somebody in who may decide")
    return f"{len(members)} people"


async def _connecting(token: str, url: str, secrets: Secrets) -> str:
    async with wiring.slack(token, url=url, secrets=secrets) as slack:
        await slack.check_socket()
    return f"may connect ({APP_SCOPE})"


async def _signing(reference: str, secrets: Secrets) -> str:
    wiring.slack_signatures(reference, secrets=secrets)
    return "readable"
