"""
`python bound.py PARENT COMMAND ...`: becomes a command that is killed when its parent is.

The rehearsal's cluster is gone then, and the upgrade would wait more than an hour for it. Where the
system has no such thing (it is Linux's), the command runs without it. Imports nothing of ours, for
it is run by its path.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, and become the command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it has died before that was said
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    main()
