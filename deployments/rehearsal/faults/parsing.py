"""From --fault's text to a fault, checked against the scenario: one that befalls nothing is a mistake."""

import re
from collections.abc import Iterable
from typing import Final

from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.faults.kinds import KINDS, Fault, Target
from deployments.rehearsal.scenario.values import Scenario

_SHAPE: Final = "KIND:TARGET[@SECONDS][%PERCENT]"
_FAULT: Final = re.compile(
    r"(?P<kind>[a-z0-9-]+)(:(?P<target>[^@%]+))?(@(?P<after>[^@%]*))?(%(?P<percent>[^@%]*))?"
)
_LATEST: Final = 3600.0


def parse_faults(texts: Iterable[str], scenario: Scenario) -> tuple[Fault, ...]:
    """Read what --fault and a scenario's faults say. Raises WrongInputError naming the fault."""
    return tuple(_parse(text, scenario) for text in texts)


def _parse(text: str, scenario: Scenario) -> Fault:
    found = _FAULT.fullmatch(text)
    if found is None:
        raise WrongInputError(f"--fault {text}: is not {_SHAPE}; there are:\n{listing()}")
    kind = KINDS.get(found["kind"])
    if kind is None:
        raise WrongInputError(f"--fault {text}: there is no such fault; there are:\n{listing()}")
    target = found["target"] or ""
    if bool(target) != bool(kind.target):
        raise WrongInputError(f"--fault {text}: it is written {kind.shape}[@SECONDS][%PERCENT]")
    _check_target(text, kind.target, target, scenario)
    return Fault(
        kind=kind,
        target=target,
        after_seconds=_number(text, "@SECONDS", found["after"], 0.0, (0.0, _LATEST)),
        percent=_number(text, "%PERCENT", found["percent"], kind.usual_percent, (0.0, 100.0)),
    )


def listing() -> str:
    """Return a line for each fault that there is."""
    return "\n".join(f"  {kind.shape}: {kind.what}" for kind in KINDS.values())


def _number(
    text: str, what: str, given: str | None, usual: float, bounds: tuple[float, float]
) -> float:
    if given is None:
        return usual
    least, most = bounds
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise WrongInputError(
            f"--fault {text}: {what} takes a number from {least:g} to {most:g}, not {given!r}"
        )
    return value


def _check_target(text: str, what: Target, target: str, scenario: Scenario) -> None:
    known = _known(what, target, scenario)
    if known is not None and target not in known:
        some = ", ".join(known) if known else "none"
        raise WrongInputError(f"--fault {text}: {scenario.name} has no {target}; there are: {some}")


def _known(what: Target, target: str, scenario: Scenario) -> list[str] | None:
    """Return what a fault may befall, as near to what was meant as can be; None for no target."""
    spaces = {one.name: one for one in scenario.namespaces}
    if what is Target.WORKLOAD and (space := spaces.get(target.partition("/")[0])) is not None:
        return [f"{space.name}/{one.name}" for one in space.workloads]
    if what is Target.WORKLOAD:
        return [f"{name}/..." for name in spaces]
    if what is Target.NAMESPACE:
        return list(spaces)
    if what is Target.REVISION:
        return [scenario.istio.revision or "default", new_revision(scenario)]
    return None


def new_revision(scenario: Scenario) -> str:
    """Return the name of the revision that the upgrade installs."""
    return str(scenario.upgrade.get("revision") or str(scenario.upgrade["to"]).replace(".", "-"))
