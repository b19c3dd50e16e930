"""How long a pod takes to end, once it was asked to. Pure, but for the dice."""

import math
import random
from typing import Final

from deployments.rehearsal.cluster.controllers.reading import part, texts
from deployments.rehearsal.cluster.controllers.scripts import behaviour_of
from deployments.rehearsal.cluster.objects import Json, objects_in, spec_of

_GRACEFUL: Final = (0.1, 0.6)  # seconds that a program needs which ends when it is asked to


def seconds_to_end(pod: Json, dice: random.Random) -> float:
    """Return seconds: what preStop takes, then until the end. Endless if nobody heeds SIGTERM."""
    main = objects_in(spec_of(pod), "containers")
    return max((_of_container(one, pod, dice) for one in main), default=0.0)


def _of_container(container: Json, pod: Json, dice: random.Random) -> float:
    if not behaviour_of(container, pod).heeds_term:
        return math.inf  # until it is killed, when the time is over
    return _of_pre_stop(container) + dice.uniform(*_GRACEFUL)


def _of_pre_stop(container: Json) -> float:
    hook = part(container, "lifecycle", "preStop")
    if "sleep" in hook:
        return float(hook["sleep"].get("seconds", 0))
    words = " ".join(texts(part(hook, "exec"), "command")).split()
    if "sleep" in words[:-1]:
        told = words[words.index("sleep") + 1].removesuffix("s")
        return float(told) if told.replace(".", "", 1).isdecimal() else 0.0
    return 0.0
