"""What the host says on stdout, a JSON document a line, and what it is told on stdin, a word a line."""

import sys
from enum import StrEnum
from typing import Any

import msgspec


class Word(StrEnum):
    """What the host says first on each line."""

    READY = "ready"  # it can be reached
    LOADED = "loaded"  # the scenario's pods run
    COUNTS = "counts"  # proxies that have changed, by namespace and revision
    PROBLEM = "problem"  # it cannot go on


LOAD = "load"  # what it is told


def tell(word: Word, what: Any) -> None:
    """Say something to whoever started this."""
    sys.stdout.buffer.write(msgspec.json.encode({word: what}) + b"\n")
    sys.stdout.buffer.flush()
