"""What somebody asked of a rehearsal."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from deployments.rehearsal.scenario.values import Scenario

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The cluster to start."""

    scenario: Scenario | None
    faults: Sequence[str] = ()
    speed: float = 1.0
    port: int = 0
    kubeconfig: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """The upgrade to rehearse on it."""

    scenario: Scenario
    home: Path
    prefect: Callable[[Say], AbstractContextManager[str]]  # a server of its own, for a block
    says_yes: bool = False
    is_json: bool = False
    stays: bool = False
    slack_port: int | None = None  # gates are asked in a Slack there; 0: any port
