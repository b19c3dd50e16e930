"""
How a command fails: with one line on stderr, and an exit code.

    CommandError        1: the command could not do it
    +-- UsageError      64: the command line was wrong
    +-- ApiError        1: the API server refused, in its own words
"""

from typing import Final

USAGE: Final = 64
_NOT_FOUND: Final = 404


class CommandError(Exception):
    """Says what to print after `Error: `."""

    code: int = 1


class UsageError(CommandError):
    code = USAGE


class ApiError(CommandError):
    """An answer that is none of 2xx; `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_missing(self) -> bool:
        return self.status == _NOT_FOUND


class Quit(Exception):
    """Ends the command with this exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
