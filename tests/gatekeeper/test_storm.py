"""A thousand clicks on one gate, half of them not allowed, and a gatekeeper that dies half-way."""

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tasks.domain.approval import Vote, verified
from tests.builders import KEY
from tests.gatekeeper.keeping import gatekeepers
from tests.gatekeeper.world import CROWD, World, until, world
from tests.unit.gatekeeper_scene import FLOW_RUN

CLICKS: Final = 1000
ALLOWED: Final = CROWD[::2]
GATES: Final = {"approvers": [f"slack:T1/{user}" for user in ALLOWED], "quorum": 25}


def click_all(place: World, half_way: threading.Event) -> Counter[str]:
    """Let everybody click at the same time, each their share one after another."""
    button, done = place.button(), itertools.count(1)
    acknowledged: Counter[str] = Counter()

    def clicks(user: str) -> int:
        heard = 0
        for _ in range(CLICKS // len(CROWD)):
            heard += place.press_old(user, button)
            if next(done) == CLICKS // 2:
                half_way.set()
        return heard

    with ThreadPoolExecutor(len(CROWD)) as people:
        for user, heard in zip(CROWD, people.map(clicks, CROWD), strict=True):
            acknowledged[user] = heard
    return acknowledged


def stored(place: World) -> Counter[str]:
    """Return how many valid votes of each person there are."""
    rows = place.votes.rows(FLOW_RUN)
    votes = [found for row in rows if isinstance(found := verified(row, key=KEY), Vote)]
    return Counter(vote.person.rpartition("/")[2] for vote in votes)


def test_a_thousand_clicks_and_a_killed_gatekeeper_make_one_decision() -> None:
    with world(GATES) as place, place.worker(), gatekeepers(place, 2) as (first, second):
        place.ts()
        until(lambda: place.slack.connections() == 2, what="both hear Slack")
        half_way = threading.Event()

        def kill() -> None:
            half_way.wait(60)
            first.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        acknowledged = click_all(place, half_way)
        killer.join()
        until(lambda: place.decisions, what="the gate is decided")
        until(
            lambda: all(
                len(place.told(user)) + stored(place)[user] >= acknowledged[user] for user in CROWD
            ),
            what="every acknowledged click is answered, or its vote stored",
        )
        assert second.counted("istio_canary_ack_seconds_count") > 0
        keys = place.keys()

    assert sum(acknowledged.values()) > CLICKS / 4
    (decision,) = place.decisions
    assert decision.verdict == "approved"
    assert {vote.person.rpartition("/")[2] for vote in decision.votes} == set(ALLOWED)
    assert set(stored(place)) == set(ALLOWED)
    assert len(place.flow_runs.resumed_at) == 1
    assert len(keys) == len(set(keys))
