"""
The rehearsal's Slack in a browser, by what a person sees and presses there.

The page loads itself anew whenever something has changed, so each look and each press is one step of
JavaScript, and is repeated until it meets the page that it is meant for.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, cast

from tests.browser.chromium import Json, NoAnswerError, Tab
from tests.mesh.waiting import until

_T = TypeVar("_T")
_WITHIN: Final = 60.0

# What is pressed has to be seen: what lies under something else or has no size is not.
_SCRIPT: Final = """
const words = (one) => one.innerText.replace(/\\s+/g, " ").trim();
const isSeen = (one) => one.getClientRects().length > 0;
const within = (where) => [...document.querySelectorAll(where)].filter(isSeen);
const pressable = (where, label) => within(where)
  .flatMap((one) => [...one.querySelectorAll("button, summary, a")])
  .filter((one) => isSeen(one) && words(one) === label);
const isOnTop = (one) => {
  one.scrollIntoView({block: "center"});
  const box = one.getBoundingClientRect();
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return one === top || one.contains(top);
};
const press = (where, label) => {
  const one = pressable(where, label).at(-1);
  if (!one || !isOnTop(one)) return false;
  one.click();
  return true;
};
const fieldOfModal = () => within(".modal textarea, .modal input[type=text]").at(-1);
const isFocusedAndEmpty = () => {
  const one = fieldOfModal();
  one?.focus();
  return one?.value === "";
};
const once = (one) => {  // of this page: a second click would begin anew what the first one began
  if (one && !window.hasLeft) one.click();
  window.hasLeft = Boolean(one);
};
const become = (name) => {
  once([...document.querySelectorAll("button[name=user]")]
    .find((one) => words(one).split(/[ @]+/).includes(name)));
};
const openThread = () => once(within("main .message a.note").at(-1));
const message = (one) => ({
  ts: one.dataset.ts,
  who: words(one.querySelector(".who")),
  text: words(one),
  only_you: one.classList.contains("whisper"),
  buttons: [...one.querySelectorAll("button, summary, a.button")].filter(isSeen).map(words),
  metadata: JSON.parse(one.dataset.metadata),
});
"""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message, as it is seen."""

    ts: str
    who: str
    text: str
    only_you: bool
    buttons: list[str]
    metadata: Json

    @property
    def key(self) -> str:
        """What the gatekeeper calls it; a person's message has no name."""
        return str(self.metadata.get("event_payload", {}).get("key", ""))


class SlackPage:
    """One person's browser."""

    def __init__(self, tab: Tab, url: str, *, check: Callable[[], object]) -> None:
        """Go there; `check` raises when nothing is to be waited for any more."""
        self._tab = tab
        self._check = check
        tab.go(url)

    def become(self, name: str) -> None:
        """Say who looks, on the first page or at the side."""
        self._until(
            lambda: self._is(name) or self._do(f"(become({_quoted(name)}), false)"),
            f"{name} looks at the page",
        )

    def open_thread(self) -> None:
        """Open the last thread of the channel."""
        self._until(
            lambda: self._do('within("aside .message").length > 0 || (openThread(), false)'),
            "a thread is open",
        )

    def thread(self) -> list[Message]:
        """Return the messages of the open thread, the head first."""
        found = cast("list[Json]", self._look('within("aside .message").map(message)') or [])
        return [Message(**one) for one in found]

    def message(self, key: str) -> Message | None:
        return next((one for one in self.thread() if one.key == key), None)

    def until_it_stands(self, key: str, *, seconds: float = _WITHIN) -> Message:
        """Wait for a message of the thread."""
        found = self._until(lambda: self.message(key), f"{key} stands in the thread", seconds)
        assert found is not None
        return found

    def press(self, key: str, label: str, *, sure: str = "") -> None:
        """Press a button of a message of the thread, and `sure` when it is asked once more."""
        ts = self.until_it_stands(key).ts
        button = self._press_script(f'aside [data-ts="{ts}"]', label)
        if not sure:
            self._until(lambda: self._do(button), f"{label!r} of {key} can be pressed")
            return
        # The page may load itself anew in between, and ask no more.
        asked = self._press_script(f'aside [data-ts="{ts}"] details.sure[open] .ask', sure)
        self._until(
            lambda: self._do(f"{asked} || ({button} && {asked})"), f"{label!r} of {key}, {sure!r}"
        )

    def press_in_modal(self, label: str) -> None:
        button = self._press_script(".modal", label)
        self._until(lambda: self._do(button), f"{label!r} of the modal can be pressed")

    def fill_in(self, text: str) -> None:
        """Type into the modal's field."""
        self._until(lambda: self._typed(text), "a modal asks for text")

    def _typed(self, text: str) -> bool:
        """Type if a field is there that has nothing yet, and say whether it has the text."""
        if self._do("isFocusedAndEmpty()"):
            self._tab.type(text)
        return bool(self._look("fieldOfModal()?.value") == text)

    def modal(self) -> str:
        """Return what the modal says; the empty text is none."""
        return str(self._look('within(".modal").map(words)[0]') or "")

    def picture(self, path: Path) -> None:
        self._tab.picture(path)

    def _press_script(self, where: str, label: str) -> str:
        return f"press({_quoted(where)}, {_quoted(label)})"

    def _is(self, name: str) -> bool:
        return bool(self._look('within(".person.here").map(words)[0]?.split(/[ @]/)[0]') == name)

    def _do(self, expression: str) -> bool:
        return bool(self._look(expression))

    def _look(self, expression: str) -> object:
        """Evaluate; None if the page was about to be another one."""
        try:
            return self._tab.evaluate(f"(() => {{ {_SCRIPT} return {expression}; }})()")
        except NoAnswerError:
            return None

    def _until(self, condition: Callable[[], _T], what: str, seconds: float = _WITHIN) -> _T:
        def holds() -> _T:
            self._check()
            return condition()

        return until(holds, what=what, seconds=seconds, every=0.1)


def _quoted(text: str) -> str:
    return json.dumps(text)
