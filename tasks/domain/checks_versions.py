"""Whether the versions of both control planes, of istioctl and of Kubernetes go together."""

import re
from collections.abc import Iterator
from typing import Final

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import blocks, warns
from tasks.domain.errors import BadInputError
from tasks.domain.findings import Finding
from tasks.domain.inventory import ControlPlane, istio_version
from tasks.domain.revision import Version

# How far a revisioned upgrade may jump, by Istio's own documentation.
_MOST_MINORS: Final = 2

# Kubernetes 1.x that each Istio minor supports, from Istio's support status.
_SUPPORTED: Final = {
    (1, 21): range(26, 30),
    (1, 22): range(27, 31),
    (1, 23): range(27, 31),
    (1, 24): range(28, 32),
    (1, 25): range(29, 33),
    (1, 26): range(29, 34),
    (1, 27): range(29, 34),
    (1, 28): range(30, 35),
    (1, 29): range(31, 36),
    (1, 30): range(32, 37),
}
_KUBERNETES: Final = re.compile(r"v?1\.(\d{1,4})\b")


def version_findings(situation: Situation) -> Iterator[Finding]:
    """Compare every version with every other that it has to go with."""
    old = _known(situation.old_plane)
    if old is None:
        yield _old_unknown(situation)
    else:
        yield from _distance(situation, old)
    yield from _istioctl(situation)
    yield from _canary(situation)
    yield from _kubernetes(situation, old)


def _known(plane: ControlPlane | None) -> Version | None:
    if plane is None:
        return None
    try:
        return istio_version(plane)
    except BadInputError:
        return None


def _old_unknown(situation: Situation) -> Finding:
    plane = situation.old_plane
    if plane is None:
        what = "has no istiod Deployment"
    else:
        what = f"does not say which version it runs ({plane.version or 'no readable image tag'})"
    return blocks(
        "old-version-unknown",
        f"revision/{situation.old}",
        fact=(
            f"Revision {situation.old} {what}, so nobody can tell whether the upgrade is a "
            "supported one."
        ),
        todo=(
            "Give istiod's image a tag that is an Istio version, or name another revision with "
            "--from."
        ),
    )


def _distance(situation: Situation, old: Version) -> Iterator[Finding]:
    target, subject = situation.target, f"revision/{situation.old}"
    minors = target.minors_ahead_of(old)
    if target < old:
        yield blocks(
            "downgrade",
            subject,
            fact=(
                f"Revision {situation.old} runs {old}, which is newer than {target}; Istio "
                "supports no downgrade."
            ),
            todo=(
                "Name a newer version with --to; to undo an upgrade that is under way, use "
                "rollback."
            ),
        )
    elif target == old:
        yield blocks(
            "same-version",
            subject,
            fact=(
                f"Revision {situation.old} runs {target} already, so this would only give it "
                "another name."
            ),
            todo="Name a newer version with --to.",
        )
    elif minors > _MOST_MINORS:
        yield blocks(
            "skips-minors",
            subject,
            fact=(
                f"From {old} to {target} are {minors} minor versions, and Istio supports a jump "
                "of two at most."
            ),
            todo=f"Upgrade to {old.major}.{old.minor + _MOST_MINORS} first.",
        )


def _istioctl(situation: Situation) -> Iterator[Finding]:
    try:
        version = Version.parse(situation.istioctl)
    except BadInputError:
        version = None
    if version != situation.target:
        yield blocks(
            "istioctl-version",
            "istioctl",
            fact=(
                f"This istioctl is {situation.istioctl}, and it installs its own version, not "
                f"{situation.target}."
            ),
            todo=f"Give the path of an istioctl {situation.target} with --istioctl.",
        )


def _canary(situation: Situation) -> Iterator[Finding]:
    canary, subject = situation.canary, f"revision/{situation.canary}"
    plane = situation.inventory.control_plane(canary)
    if any(tag.name == canary for tag in situation.inventory.tags):
        yield blocks(
            "revision-taken",
            subject,
            fact=f"There is a revision tag named {canary}, so that name would mean two things.",
            todo="Name the new revision otherwise with --revision.",
        )
    elif plane is not None and not situation.adopted:
        yield blocks(
            "revision-taken",
            subject,
            fact=f"Revision {canary} is there already, and no run of ours installed it.",
            todo="Name the new revision otherwise with --revision, or uninstall that one first.",
        )
    elif plane is not None and _known(plane) != situation.target:
        yield blocks(
            "adopted-version",
            subject,
            fact=(
                f"Revision {canary}, from an earlier run, runs "
                f"{plane.version or 'an unknown version'}, not {situation.target}."
            ),
            todo=(
                "Roll the earlier run back first, or name the new revision otherwise with "
                "--revision."
            ),
        )


def _kubernetes(situation: Situation, old: Version | None) -> Iterator[Finding]:
    match = _KUBERNETES.match(situation.inventory.kubernetes)
    if match is None:
        yield warns(
            "kubernetes-unknown",
            "cluster",
            fact=(
                f"The cluster calls its version {situation.inventory.kubernetes!r}, which is none "
                "that can be compared."
            ),
            todo="Look up yourself whether both Istio versions support it.",
        )
        return
    minor = int(match[1])
    if old is not None:
        yield from _support(situation.old, old, minor)
    yield from _support(situation.canary, situation.target, minor)


def _support(revision: str, version: Version, kubernetes: int) -> Iterator[Finding]:
    row = _SUPPORTED.get((version.major, version.minor))
    name = f"{version.major}.{version.minor}"
    if row is None:
        yield warns(
            "unknown-minor",
            f"revision/{revision}",
            fact=(
                f"Istio {name} is not among the versions known here, so what it supports could "
                "not be checked."
            ),
            todo=f"Read the release notes of {name} before you go on.",
        )
    elif kubernetes not in row:
        yield warns(
            "kubernetes-unsupported",
            f"revision/{revision}",
            fact=(
                f"Kubernetes 1.{kubernetes} is not among those that Istio {name} supports "
                f"(1.{row[0]} to 1.{row[-1]})."
            ),
            todo="Upgrade Kubernetes first, or choose an Istio version that supports it.",
        )
