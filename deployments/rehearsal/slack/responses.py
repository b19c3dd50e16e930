"""What an app sends to a response URL: an answer where somebody did something."""

from deployments.rehearsal.slack.blocks.checking import checked_blocks
from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.interactions import show_answer
from deployments.rehearsal.slack.methods.chat import change
from deployments.rehearsal.slack.objects import Json, Message
from deployments.rehearsal.slack.passes import ResponsePass
from deployments.rehearsal.slack.state import Slack


def respond(slack: Slack, name: str, answer: Json) -> None:
    """Take an answer. Raises Refused."""
    given = slack.passes.respond(name)
    if answer.get("delete_original"):
        slack.conversations.remove(_original(slack, given))
    elif answer.get("replace_original"):
        _replace(slack, _original(slack, given), answer)
    else:
        show_answer(
            slack,
            answer,
            channel=given.channel,
            user=given.user,
            thread_ts=str(answer.get("thread_ts") or ""),
        )


def _replace(slack: Slack, original: Message, answer: Json) -> None:
    text, blocks = str(answer.get("text") or ""), checked_blocks(answer.get("blocks"))
    if not text and not blocks:
        raise Refused("no_text")
    change(slack, original, text=text, blocks=blocks)


def _original(slack: Slack, given: ResponsePass) -> Message:
    kept = slack.conversations
    if given.is_ephemeral:
        found = kept.whispered(given.channel, given.ts, given.user)
    else:
        found = kept.get(given.channel, given.ts) if given.ts else None
    if found is None:
        raise Refused("message_not_found")
    return found
