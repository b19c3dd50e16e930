"""
How a pod starts, and whether it gets on: decided once, when its containers start.

Its spec decides first. Beyond that a `Fates` may decide for it, which is where a rehearsal injects
workloads that never become ready, crash or are slow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final, Protocol, cast

from deployments.rehearsal.cluster.controllers.scripts import Behaviour
from deployments.rehearsal.cluster.objects import Json

# What no node has. Everything else can be had, for a rehearsal has no registry.
MISSING_IMAGES: Final = ("auto", "*nosuch*", "*no-such*", "*does-not-exist*", "*missing*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a pod."""

    is_ever_ready: bool = True
    crashes: bool = False
    slowness: float = 1.0  # how many times as long its start takes


NORMAL: Final = Fate()
NEVER_READY: Final = Fate(is_ever_ready=False)
CRASH_LOOP: Final = Fate(crashes=True)


class Fates(Protocol):
    """Whoever decides about pods."""

    def of(self, pod: Json) -> Fate:
        """Decide about a pod whose containers are about to start."""
        ...


class Kindly:
    """The fate of all pods, as long as nobody wants it otherwise."""

    def of(self, pod: Json) -> Fate:
        del pod
        return NORMAL


def image_problem(container: Json, missing: Sequence[str]) -> tuple[str, str] | None:
    """Return reason and message, where a container's image cannot be had."""
    image = str(container.get("image", ""))
    if not any(fnmatch(image, pattern) for pattern in missing):
        return None
    if container.get("imagePullPolicy") == "Never":
        text = f'Container image "{image}" is not present with pull policy of Never'
        return "ErrImageNeverPull", text
    return "ImagePullBackOff", f'Back-off pulling image "{image}"'


def probe_of(container: Json) -> Json | None:
    return cast("Json | None", container.get("readinessProbe"))


def probe_succeeds(container: Json, behaviours: Mapping[str, Behaviour]) -> bool:
    """Say whether a container's readiness probe can ever succeed, by what the containers do."""
    probe = probe_of(container)
    own = behaviours[container["name"]]
    if probe is None:
        return True
    if "exec" in probe:
        return _command_succeeds(probe["exec"].get("command") or [], own)
    for way in ("httpGet", "tcpSocket", "grpc"):
        if way in probe:
            port = _number(probe[way].get("port"), container)
            # Another container may answer for this one, as a proxy does.
            listens = any(one.listens(port) for one in behaviours.values())
            return own.serves and listens
    return True


def _number(port: int | str | None, container: Json) -> int | str:
    for one in cast("list[Json]", container.get("ports") or []):
        if one.get("name") == port:
            return int(one["containerPort"])
    return port or 0


def _command_succeeds(command: Sequence[str], own: Behaviour) -> bool:
    words = " ".join(command).split()
    if not own.is_known or not words:
        return True
    if words[:2] in (["sh", "-c"], ["/bin/sh", "-c"]):
        words = words[2:] or ["true"]
    match words[0].rpartition("/")[2]:
        case "cat" | "test" | "ls" | "[":
            names = [word for word in words[1:] if word.startswith("/")]
            return all(name in own.files for name in names)
        case "false":
            return False
        case "exit":
            return words[1:] == ["0"]
        case _:
            return True
