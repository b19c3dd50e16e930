"""How a run ended, and what is left to do."""

from typing import Final

from deployments.gatekeeper.messages import blocks, words
from deployments.gatekeeper.messages.blocks import LONGEST_SECTION, escape, lines_within
from deployments.gatekeeper.view import RunView
from tasks.domain.journal import Finished
from tasks.domain.slack import Message

_MOST_TODO: Final = 15
_LONGEST_TEXT: Final = 2000


def ending(finished: Finished, view: RunView) -> Message:
    """Return the outcome, the text, what is left to do, and how long it took."""
    took = words.minutes(finished.at - view.record.started.at)
    text = escape(finished.text, _LONGEST_TEXT)
    shown = [blocks.header(str(finished.outcome)), blocks.section(text)]
    if finished.todo:
        lines = [f"• {escape(one, 500)}" for one in finished.todo]
        rest = words.where_the_rest_is(view, "report", first=False)
        todo = lines_within(lines, LONGEST_SECTION - 20, most=_MOST_TODO, rest=rest)
        shown.append(blocks.section(f"*To do*\n{todo}"))
    link = words.flow_run_link(view, "the report", tab="Artifacts")
    shown.append(blocks.context(" · ".join([f"after {took}", *([link] if link else [])])))
    return blocks.message(
        f"{finished.outcome} on {escape(view.cluster)} after {took}: {text}", shown
    )
