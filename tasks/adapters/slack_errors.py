"""
What Slack's errors mean to us, and what people can do about them.

Slack names an error by a word. Only that word, and the names of scopes, ever reach a message.
"""

import re
from collections.abc import Mapping
from typing import Final

from tasks.domain.errors import RefusedError, TransientError, UpgradeError
from tasks.domain.slack import AnswerLostError, MessageGoneError
from tasks.domain.slack_methods import APP_SCOPE, Method

_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,60}")
_SCOPES: Final = re.compile(r"[a-z.:_]{1,60}(,\s*[a-z.:_]{1,60}){0,20}")

# Slack may have done what was asked, although it answers so.
_UNSURE: Final = frozenset({"fatal_error", "internal_error"})
_TEMPORARY: Final = frozenset(
    {"ratelimited", "rate_limited", "request_timeout", "service_unavailable", "team_added_to_org"}
)
_GONE: Final = frozenset(
    {
        (Method.REPLIES, "thread_not_found"),
        (Method.UPDATE, "cant_update_message"),
        (Method.UPDATE, "edit_window_closed"),
        (Method.UPDATE, "message_not_found"),
    }
)

_LOG_IN: Final = "install the app again and configure the token that Slack shows then"
_APP_TOKEN: Final = f"make an app-level token (xapp-...) with {APP_SCOPE}, and configure that one"
_INVITE: Final = "invite the bot there: /invite @istio-canary"
_TOO_LONG: Final = "this is a fault of ours; please report it"
_TOO_LATE: Final = "Slack waits three seconds only; press it again"
_PLAN: Final = "user groups need a paid plan of Slack; name people by their ids instead"

_WHAT_HELPS: Final[Mapping[str, str]] = {
    "account_inactive": _LOG_IN,
    "channel_not_found": f"name the channel by its id (C...), and if it is private, {_INVITE}",
    "exchanged_trigger_id": _TOO_LATE,
    "expired_trigger_id": _TOO_LATE,
    "invalid_auth": _LOG_IN,
    "invalid_blocks": _TOO_LONG,
    "invalid_trigger_id": _TOO_LATE,
    "is_archived": "unarchive the channel, or configure another one",
    "missing_scope": "add what is missing to the app, then install it again",
    "msg_blocks_too_long": _TOO_LONG,
    "msg_too_long": _TOO_LONG,
    "no_permission": "let the bot write there, or configure another channel",
    "no_such_subteam": "name the user group by its id (S...), as its page in Slack shows",
    "not_allowed_token_type": "configure the bot's token (xoxb-...), or the app's (xapp-...) there",
    "not_authed": _LOG_IN,
    "not_in_channel": _INVITE,
    "org_login_required": "the workspace moves to another organisation; wait until it has",
    "paid_teams_only": _PLAN,
    "plan_upgrade_required": _PLAN,
    "restricted_action": "let the workspace's administrators allow the bot to write there",
    "subteam_disabled": "enable the user group, or name another one",
    "team_access_not_granted": "let the organisation's administrators approve the app there",
    "token_expired": _LOG_IN,
    "token_revoked": _LOG_IN,
    "user_not_in_channel": "whoever it is has to join the channel first",
}


def translated(
    method: Method, error: object, *, needed: object = None, target: str = ""
) -> UpgradeError:
    """Return our error for one that Slack has named. `target`: a channel or group, for people."""
    word = error if isinstance(error, str) and _WORD.fullmatch(error) else "an error without a name"
    said = f"Slack answered {method.name_in_slack}{f' for {target}' if target else ''} with {word}"
    if word in _UNSURE:
        return unsure(method, said)
    if word in _TEMPORARY:
        return TransientError(said)
    if (method, word) in _GONE:
        return MessageGoneError(f"{said}; the message has to be posted anew")
    if isinstance(needed, str) and _SCOPES.fullmatch(needed):
        said = f"{said} (needed: {needed})"
    # Whatever is wrong with that one: only its token counts.
    helps = _APP_TOKEN if method is Method.CONNECT else _WHAT_HELPS.get(word)
    return RefusedError(f"{said}; {helps}" if helps else said)


def unsure(method: Method, said: str) -> TransientError:
    """Return our error for a call that may have been carried out or not."""
    if method is Method.POST:
        return AnswerLostError(f"{said}; the message may have been posted or not")
    return TransientError(said)
