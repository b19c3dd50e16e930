"""What people type after /istio-canary, understood or refused. Pure."""

import shlex
from typing import Final, Literal, cast, get_args

import msgspec

from tasks.domain.errors import BadInputError

Verb = Literal[
    "help", "status", "plan", "upgrade", "hold", "resume", "abort", "rollback", "approve", "reject"
]
_VERBS: Final[tuple[str, ...]] = get_args(Verb)
_LONGEST: Final = 2000
_WITH_REASON: Final = frozenset({"hold", "resume", "abort", "approve", "reject"})
_WITH_VERSION: Final = frozenset({"plan", "upgrade"})

HELP: Final = """\
*Runs*
`status [CLUSTER]`  which runs there are, and what they wait for
`approve [RUN] [REASON]`, `reject [RUN] REASON`  decide the gate that a run waits at
`hold [RUN] [REASON]`, `resume [RUN]`  wait before the next step; go on
`abort [RUN] [REASON]`  stop after the current batch
`rollback [RUN]`  take everything back
*Upgrades*
`plan VERSION [CLUSTER]`  show what an upgrade would do; changes nothing
`upgrade VERSION [CLUSTER]`  begin one

RUN may be left out while one run is under way, CLUSTER while there is one cluster."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants."""

    verb: Verb
    version: str = ""
    cluster: str | None = None
    run: str | None = None
    reason: str = ""


def parse_wish(text: str) -> Wish:
    """Understand the words after the command. Raises BadInputError with the right form."""
    words = _words(text)
    if not words:
        return Wish(verb="help")
    verb, *rest = words
    if verb not in _VERBS:
        raise BadInputError(f"{verb[:40]!r} is none of: {', '.join(_VERBS)}")
    known = cast("Verb", verb)
    if verb in _WITH_VERSION:
        return _with_version(known, rest)
    if verb in _WITH_REASON:
        return _with_reason(known, rest)
    if len(rest) > 1:
        raise BadInputError(f"{verb} takes one name at most")
    name = rest[0] if rest else None
    return Wish(verb=known, cluster=name) if verb == "status" else Wish(verb=known, run=name)


def _words(text: str) -> list[str]:
    if len(text) > _LONGEST:
        raise BadInputError(f"{len(text)} characters; {_LONGEST} are the most")
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()  # an apostrophe in a reason


def _with_version(verb: Verb, rest: list[str]) -> Wish:
    if not rest or len(rest) > 2:  # noqa: PLR2004 - version and cluster
        raise BadInputError(f"say `{verb} VERSION [CLUSTER]`, for example `{verb} 1.29.1`")
    return Wish(verb=verb, version=rest[0], cluster=rest[1] if rest[1:] else None)


def _with_reason(verb: Verb, rest: list[str]) -> Wish:
    """Take the first word for a run if it looks like one; whether it is one is seen later."""
    run = rest[0] if rest and _looks_like_a_run(rest[0]) else None
    return Wish(verb=verb, run=run, reason=" ".join(rest[1:] if run else rest))


def _looks_like_a_run(word: str) -> bool:
    head, _, tail = word.rpartition("-")
    return bool(head) and len(tail) == 5 and tail.isalpha() and word.islower()  # noqa: PLR2004 - see new_run_id
