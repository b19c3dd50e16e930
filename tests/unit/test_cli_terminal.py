"""The keyboard, as a real terminal: what was typed before the question does not answer it."""

import os
import pty
from collections.abc import Iterator

import pytest

from flows.cli_terminal import Terminal


class Typist:
    """Somebody at the other end of a terminal."""

    def __init__(self) -> None:
        self.hands, end = pty.openpty()
        self.stream = os.fdopen(end, encoding="utf-8")
        self.terminal = Terminal(self.stream)

    def type(self, text: str) -> None:
        os.write(self.hands, text.encode())


@pytest.fixture
def typist() -> Iterator[Typist]:
    made = Typist()
    yield made
    made.stream.close()
    os.close(made.hands)


def test_nobody_is_waited_for(typist: Typist) -> None:
    assert typist.terminal.line() is None


def test_a_line_is_read_as_it_was_typed(typist: Typist) -> None:
    typist.type("y\nn\n")

    assert [typist.terminal.line() for _ in range(3)] == ["y\n", "n\n", None]


def test_what_was_typed_too_early_is_forgotten(typist: Typist) -> None:
    typist.type("y\ny\ny")
    assert typist.terminal.line() == "y\n"

    typist.terminal.forget()

    assert typist.terminal.line() is None
    typist.type("n\n")
    assert typist.terminal.line() == "n\n"


def test_the_end_of_input_is_an_empty_line(typist: Typist) -> None:
    typist.type("\x04")

    assert typist.terminal.line() == ""
