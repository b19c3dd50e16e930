"""
Everything an upgrade may raise on purpose.

UpgradeError
├── BadInputError      the request itself is wrong; nothing was changed
├── RefusedError       unsafe to start or continue; people have to change something
├── UnhealthyError     the canary or a workload failed its checks; roll back
│   └── HaltedError    stopped because something else of the same wave failed
├── TransientError     retrying may help; nothing was decided
├── LeaseLostError     another process may work for this run; this one must stop at once
└── StopRequested      somebody asked this process to stop at the next safe point

Anything else is a bug, and is left to crash the run.
"""


class UpgradeError(Exception):
    """Root of the errors below. Its text is a sentence for an operator."""


class BadInputError(UpgradeError):
    """A parameter, file or name is wrong; says which, and what would be right."""


class RefusedError(UpgradeError):
    """Going on would be unsafe; a human has to change something first."""


class UnhealthyError(UpgradeError):
    """What was moved is not healthy; it has to go back."""


class HaltedError(UnhealthyError):
    """Nothing is wrong here; another batch of the wave failed, so this one began nothing more."""


class TransientError(UpgradeError):
    """The world was not ready; the same call may succeed later."""


class LeaseLostError(UpgradeError):
    """The process no longer holds the cluster's Lease and may change nothing."""


class StopRequested(UpgradeError):  # noqa: N818 - a request, not a failure
    """The person at the terminal wants this process to stop; the run stays unfinished."""
