"""People decide in Slack, as the README says: `istio-canary rehearse --scenario shop --slack`."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.browser.chromium import Tab
from tests.browser.slack_page import Message, SlackPage
from tests.mesh.waiting import until
from tests.rehearsal.rehearsing import Rehearsals, Running

pytestmark = pytest.mark.browser

BUTTONS = {"Approve", "Reject…", "Details"}
AN_UPGRADE = 240.0  # seconds

Started = Callable[..., Running]


@pytest.fixture
def start(rehearsals: Rehearsals) -> Iterator[Started]:
    """Return what starts a rehearsal, which is over when the test is, however it ends."""
    with _started(rehearsals) as started:
        yield started


@contextmanager
def _started(rehearsals: Rehearsals) -> Iterator[Started]:
    made: list[Running] = []

    def start(*words: str) -> Running:
        made.append(rehearsals.start(*words, "--slack", "-o", "json"))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.interrupt()
            one.wait(60)


def address(running: Running) -> str:
    running.until_it_says("Slack, where the gates are asked: ")
    found = re.search(r"asked: (http://127\.0\.0\.1:\d+/)", running.err.read_text())
    assert found is not None
    return found[1]


def page_of(running: Running, tab: Tab, *, person: str) -> SlackPage:
    """Open the run's thread, as somebody who has the terminal beside it."""
    page = SlackPage(tab, address(running), check=lambda: running.says(""))
    running.until_it_says("waits for an answer in Slack")
    page.become(person)
    page.open_thread()
    return page


def approve(page: SlackPage, gate: str) -> None:
    page.until_it_stands(f"gate-{gate}", seconds=AN_UPGRADE)
    page.press(f"gate-{gate}", "Approve", sure="Approve")
    decided = until_decided(page, gate)
    assert "Approved by" in decided.text
    assert "@alice" in decided.text


def until_decided(page: SlackPage, gate: str) -> Message:
    """Wait until a gate asks nobody any more."""

    def decided() -> Message | None:
        seen = page.message(f"gate-{gate}")
        return seen if seen and not BUTTONS & set(seen.buttons) else None

    found = until(decided, what=f"gate {gate} is decided", seconds=60)
    assert found is not None
    return found


def last(page: SlackPage) -> Message:
    found = until(page.thread, what="the thread is read", seconds=10)
    return found[-1]


def test_whoever_may_approves_every_gate_of_the_shop_and_the_thread_tells_it_to_the_end(
    start: Started, tab: Tab
) -> None:
    running = start("--scenario", "shop", "--speed", "4")
    page = page_of(running, tab, person="mallory")

    page.press("gate-start", "Approve", sure="Approve")
    whisper = until(
        lambda: next((one for one in page.thread() if one.only_you), None),
        what="mallory is told",
        seconds=30,
    )
    assert whisper is not None
    assert "not an approver" in whisper.text
    gate = page.until_it_stands("gate-start")
    assert set(gate.buttons) >= BUTTONS

    page.become("alice")
    page.open_thread()
    for gate_name in ("start", "wave-2", "wave-3", "wave-4", "default", "uninstall"):
        approve(page, gate_name)
    page.until_it_stands("end", seconds=AN_UPGRADE)

    assert "Done" in last(page).text
    keys = [one.key for one in page.thread() if not one.only_you]
    assert len(keys) == len(set(keys)), keys
    ended = running.wait(60)
    assert ended.code == 0, ended
    assert ended.document["outcome"] == "Done"


def test_a_reject_needs_a_reason_and_ends_the_run_with_it(start: Started, tab: Tab) -> None:
    running = start("--scenario", "sleep", "--speed", "10")
    page = page_of(running, tab, person="alice")

    page.press("gate-start", "Reject…")
    page.fill_in("the release notes are not read yet")
    page.press_in_modal("Reject")

    decided = until_decided(page, "start")
    assert "Rejected by" in decided.text
    assert "the release notes are not read yet" in decided.text
    page.until_it_stands("end")
    assert "Rejected" in last(page).text
    ended = running.wait(60)
    assert ended.code == 4, ended
    assert ended.document["outcome"] == "Rejected"
