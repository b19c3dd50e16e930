"""
Runs one command line, as the istioctl of one version.

Keeps its imports few: every command loads its own module, so that the program starts at once.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from deployments.rehearsal.istioctl.commands import ALIASES, COMMANDS, GROUPS, Command
from deployments.rehearsal.istioctl.context import SHARED_FLAGS, Context, Terminal, connected
from deployments.rehearsal.istioctl.errors import CommandError, Quit, UsageError
from deployments.rehearsal.istioctl.options import Flag, Takes, parsed
from deployments.rehearsal.istioctl.ports import Cluster

Connect = Callable[[Context], Cluster]

VERSIONS: Final = ("1.28.3", "1.29.1")
_HELP: Final = Flag(name="help", short="h", takes=Takes.SWITCH)
_WITH_VALUE: Final = {
    word for flag in SHARED_FLAGS for word in (f"--{flag.name}", f"-{flag.short}") if word != "-"
}


def run(
    version: str, argv: Sequence[str], terminal: Terminal, *, connect: Connect = connected
) -> int:
    """Run a command line and return its exit code."""
    try:
        _run(version, argv, terminal, connect)
    except Quit as quit_:
        return quit_.code
    except CommandError as error:
        terminal.complain(f"Error: {error}")
        return error.code
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(version: str, argv: Sequence[str], terminal: Terminal, connect: Connect) -> None:
    words = _command_words(argv)
    names = tuple(ALIASES.get(word, word) for word in words[:1]) + tuple(words[1:])
    command = COMMANDS.get(names[:2]) or COMMANDS.get(names[:1])
    if command is None:
        _explain(names, terminal)
        return
    length = 2 if names[:2] in COMMANDS else 1
    options = parsed(_without(argv, words[:length]), (*SHARED_FLAGS, *command.flags, _HELP))
    if options.has("help"):
        terminal.say(_usage(" ".join(words[:length]), command))
        return
    function = getattr(import_module(command.path), command.function)
    function(Context(version=version, options=options, terminal=terminal, connect=connect))


def _command_words(argv: Sequence[str]) -> list[str]:
    """Return the first two words that are neither flags nor the values of shared ones."""
    found: list[str] = []
    is_value = False
    for word in argv:
        if is_value:
            is_value = False
        elif word.startswith("-"):
            is_value = word in _WITH_VALUE
            if found and not is_value:
                break  # a command's own flag may take a value
        else:
            found.append(word)
    return found[:2]


def _without(argv: Sequence[str], words: Sequence[str]) -> list[str]:
    rest = list(argv)
    for word in words:
        rest.remove(word)
    return rest


def _explain(names: Sequence[str], terminal: Terminal) -> None:
    if not names:
        terminal.say("Istio configuration command line utility for service operators to")
        terminal.say("debug and diagnose their Istio mesh.")
        return
    if names[0] not in GROUPS:
        raise UsageError(
            f'unknown command "{names[0]}" for "istioctl"\nRun \'istioctl --help\' for usage.'
        )
    if names[0] == "tag" and names[1:]:
        raise CommandError(f'unknown subcommand "{names[1]}"')
    terminal.say(GROUPS[names[0]])
    terminal.say("\nAvailable Commands:")
    for path in COMMANDS:
        if path[0] == names[0] and path[1:]:
            terminal.say(f"  {path[1]}")


def _usage(name: str, command: Command) -> str:
    flags = "\n".join(f"      --{flag.name}" for flag in (*command.flags, *SHARED_FLAGS))
    return f"Usage:\n  istioctl {name} [flags]\n\nFlags:\n{flags}"


def main(argv: Sequence[str], *, version: str) -> int:
    """Run as a program."""
    terminal = Terminal(out=sys.stdout, err=sys.stderr, asked=sys.stdin, environment=os.environ)
    return run(version, argv, terminal)
