"""
What a container does that runs a few words of shell, as containers in tests do.

Nothing is executed. `sleep 10; exit 1` is read as: lasts ten seconds, then fails. What cannot be
read so is taken for a server that listens wherever somebody asks, and ends when it is asked to.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from deployments.rehearsal.cluster.objects import Json, annotations_of, labels_of, name_of

_SHELLS: Final = {"sh", "bash", "ash"}
_QUIET: Final = {"echo", "set", "cd", "export", "mkdir", "rm", "mv", "true", ":", "date", "printf"}
_SEPARATORS: Final = {";", "&&", "||", "&", "\n"}
_FIELD: Final = re.compile(r"metadata\.(annotations|labels)\['([^']*)'\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What one container does after it has started."""

    is_known: bool = True
    ports: frozenset[int] = frozenset()
    files: frozenset[str] = frozenset()
    lasts: float | None = 0.0  # seconds; None: until it is asked to end
    code: int = 0
    heeds_term: bool = False  # a shell or busybox as first process does not end by SIGTERM

    def listens(self, port: int | str) -> bool:
        return not self.is_known or port in self.ports

    @property
    def serves(self) -> bool:
        return not self.is_known or bool(self.ports)


UNKNOWN: Final = Behaviour(is_known=False, lasts=None, heeds_term=True)


def behaviour_of(container: Json, pod: Json) -> Behaviour:
    """Read what a container's command does."""
    argv = [*(container.get("command") or ()), *(container.get("args") or ())]
    if not container.get("command"):
        return UNKNOWN  # whatever the image does
    name = str(argv[0]).rpartition("/")[2]
    try:
        if name in _SHELLS and argv[1].startswith("-") and "c" in argv[1]:
            return _Reader(_variables(container, pod)).read(_words(argv[2]))
        return _Reader({}).read([str(one) for one in argv])
    except (ValueError, IndexError):
        return UNKNOWN


def _words(script: str) -> list[str]:
    # shlex drops ends of lines, which separate commands.
    lexer = shlex.shlex(script.replace("\n", " ; "), posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _variables(container: Json, pod: Json) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for variable in cast("list[Json]", container.get("env") or []):
        reference = cast("Json", variable.get("valueFrom") or {}).get("fieldRef")
        value = variable.get("value", "")
        found[variable["name"]] = _field(reference["fieldPath"], pod) if reference else value
    return found


def _field(path: str, pod: Json) -> str:
    if path == "metadata.name":
        return name_of(pod)
    found = _FIELD.fullmatch(path)
    if found is None:
        return ""
    marks = annotations_of(pod) if found[1] == "annotations" else labels_of(pod)
    return marks.get(found[2], "")


@dataclass(slots=True)
class _Reader:
    """Reads commands one after the other, and adds up what they do."""

    variables: Mapping[str, str]
    found: Behaviour = field(default_factory=Behaviour)
    is_over: bool = False

    def read(self, words: Sequence[str]) -> Behaviour:
        for command, is_background in _commands(_flattened(words, self.variables)):
            if self.is_over or not self.found.is_known:
                break
            self._take(command, is_background=is_background)
        return self.found

    def _take(self, command: list[str], *, is_background: bool) -> None:
        name = command[0].rpartition("/")[2]
        if name == "exec":
            self._take(command[1:], is_background=is_background)
            self.is_over = True
            return
        if name in {"httpd", "nc"}:
            self._listen(command, is_background=is_background)
        elif name in {"sleep", "while", "wait"}:
            self._last(command[1] if name == "sleep" else "infinity")
        elif name in {"exit", "false"}:
            self._fail(name, command)
        elif name in {"touch", "trap"}:
            self._note(name, set(command))
        elif name not in _QUIET:
            self.found = UNKNOWN

    def _fail(self, name: str, command: list[str]) -> None:
        told = command[1] if name == "exit" and len(command) > 1 else str(int(name == "false"))
        self.found = replace(self.found, code=int(told))
        self.is_over = name == "exit"

    def _note(self, name: str, words: set[str]) -> None:
        if name == "touch":
            self.found = replace(self.found, files=self.found.files | words)
        else:
            self.found = replace(self.found, heeds_term=bool(words & {"TERM", "SIGTERM", "15"}))

    def _listen(self, command: list[str], *, is_background: bool) -> None:
        port = int(command[command.index("-p") + 1].rpartition(":")[2]) if "-p" in command else 80
        self.found = replace(self.found, ports=self.found.ports | {port})
        if not is_background and ("-f" in command or "-l" in command):
            self._last("infinity")

    def _last(self, how_long: str) -> None:
        if how_long == "infinity":
            self.found = replace(self.found, lasts=None)
            self.is_over = True
        elif self.found.lasts is not None:
            self.found = replace(self.found, lasts=self.found.lasts + _seconds(how_long))


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    return float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)


def _commands(words: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """Yield commands, each with whether it runs in the background."""
    command: list[str] = []
    for word in [*words, ";"]:
        if word in _SEPARATORS or not word.strip(";"):
            if command:
                yield command, word == "&"
            command = []
        else:
            command.append(word)


def _flattened(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Decide each `if [ A = B ]; then ...; fi`, and cut loops down to the word that begins them."""
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "if":
            end = rest.index("fi")
            kept += _branch(rest[:end], variables)
            rest = rest[end + 1 :]
        elif word == "while":
            return [*kept, word]
        else:
            kept.append(word)
    return kept


def _branch(words: list[str], variables: Mapping[str, str]) -> list[str]:
    then = words.index("then")
    otherwise = words.index("else") if "else" in words else len(words)
    if words[0] != "[" or words[2] not in {"=", "==", "!="}:
        raise ValueError("a condition that is not read here")
    left, right = (_expanded(words[one], variables) for one in (1, 3))
    holds = (left == right) is (words[2] != "!=")
    return words[then + 1 : otherwise] if holds else words[otherwise + 1 :]


def _expanded(word: str, variables: Mapping[str, str]) -> str:
    return variables.get(word.strip("${}"), "") if word.startswith("$") else word
