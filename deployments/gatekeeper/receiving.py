"""From Slack to the one who answers: clicks, modals and commands, by the socket or by HTTP."""

import asyncio
import logging
import traceback
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from deployments.gatekeeper.commands import Commands
from deployments.gatekeeper.decisions import Decisions
from deployments.gatekeeper.hearing import read_command, read_interaction
from deployments.gatekeeper.messages.confirming import CONFIRM_MODAL, parse_confirmed
from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.subject import REASON_MODAL
from tasks.domain.errors import BadInputError
from tasks.domain.slack import Click, Submission

_log: Final = logging.getLogger("istio-canary.gatekeeper")

Answer = Mapping[str, Any]
Settled = asyncio.Future[None]


class Receiver:
    """
    Takes what Slack sends, and returns at once what Slack is to be told.

    The work itself goes on in tasks of its own; `drain` waits for them. For what decides something it
    is the task that is returned: Slack is to be told once that is over. So whoever is not told that
    we have heard them, because this process dies, sees so in Slack, and says it again.
    """

    def __init__(self, decisions: Decisions, commands: Commands, metrics: Metrics) -> None:
        self._decisions = decisions
        self._commands = commands
        self._metrics = metrics
        self._working: set[asyncio.Task[None]] = set()

    def receive(self, kind: str, payload: Mapping[str, Any]) -> Answer | Settled | None:
        """
        Take one envelope: `interactive` or `slash_commands`, with what came in it.

        What is junk, or another app's, is counted and dropped: nobody of ours waits for an answer.
        """
        try:
            if kind == "slash_commands":
                _ = self._begin(self._commands.typed(read_command(payload)))
            elif kind == "interactive":
                return self._interaction(payload)
        except BadInputError as error:
            self._metrics.refused("junk")
            _log.warning("something from Slack was not taken: %s", error)
        return None

    def _interaction(self, payload: Mapping[str, Any]) -> Answer | Settled | None:
        heard = read_interaction(payload)
        if isinstance(heard, Click):
            return self._begin(self._decisions.clicked(heard))
        return self._submission(heard)

    def _submission(self, submission: Submission) -> Answer | Settled | None:
        if submission.callback == CONFIRM_MODAL:
            confirmed = parse_confirmed(submission.private)
            _ = self._begin(self._commands.confirmed(confirmed, submission.person))
        elif submission.callback == REASON_MODAL:
            if (errors := self._decisions.complaint(submission)) is not None:
                return {"response_action": "errors", "errors": errors}
            return self._begin(self._decisions.submitted(submission))
        else:
            raise BadInputError("it is another app's modal")
        return None

    def _begin(self, work: Coroutine[Any, Any, None]) -> Settled:
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._metrics.failed("bug")
            # Where, and not what: its text may quote what somebody typed.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a bug, %s, while answering somebody:\n%s", type(error).__name__, where)

    async def drain(self, seconds: float) -> None:
        """Let what has begun come to its end, for so long at most."""
        if self._working:
            await asyncio.wait(self._working, timeout=seconds)
