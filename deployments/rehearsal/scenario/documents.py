"""
A YAML file that knows where each of its values stands, so that a mistake can be shown.

Nothing here knows what a scenario is. Whoever reads a value says what it has to be; what is not
read is refused where a mapping is `closed`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import yaml

from deployments.rehearsal.errors import WrongInputError


@dataclass(frozen=True, slots=True)
class Place:
    """One value of a file: where it is, and what it is."""

    file: str
    path: str  # such as namespaces.shop.workloads[2]
    node: yaml.Node

    def wrong(self, what: str) -> WrongInputError:
        """Return the complaint about this value."""
        return WrongInputError(f"{self.where}: {what}")

    def fields(self) -> dict[str, "Place"]:
        """Return the values of a mapping by their keys."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong(f"takes a mapping, not {self._shown()}")
        found: dict[str, Place] = {}
        for key, value in self.node.value:
            name = self._key(key)
            if name in found:
                raise Place(self.file, self._below(name), key).wrong("is there twice")
            found[name] = Place(self.file, self._below(name), value)
        return found

    def closed(self, known: Mapping[str, str]) -> dict[str, "Place"]:
        """Return the values of a mapping that takes these keys only; each with what it is."""
        found = self.fields()
        for name, place in found.items():
            if name not in known:
                takes = ", ".join(known)
                raise place.wrong(
                    f"there is no such key; {self.path or 'a scenario'} takes {takes}"
                )
        return found

    def items(self) -> Iterator["Place"]:
        """Yield the values of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong(f"takes a list, not {self._shown()}")
        for number, node in enumerate(self.node.value):
            yield Place(self.file, f"{self.path}[{number}]", node)

    def value(self) -> Any:
        """Return the value as YAML has it."""
        try:
            return _Loader("").construct_document(self.node)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise self.wrong(f"cannot be read: {_line(error)}") from error

    def text(self) -> str:
        found = self.value()
        # 1.28 is a number to YAML, and a version to people.
        if isinstance(found, bool) or not isinstance(found, str | int | float) or found == "":
            raise self.wrong(f"takes a word, not {self._shown()}")
        return str(cast("yaml.ScalarNode", self.node).value)

    def word(self) -> str:
        """Return a text, which is no number even if it looks like one."""
        found = self.value()
        if not isinstance(found, str) or not found:
            raise self.wrong(f"takes a word, not {self._shown()}")
        return found

    def flag(self) -> bool:
        found = self.value()
        if not isinstance(found, bool):
            raise self.wrong(f"takes true or false, not {self._shown()}")
        return found

    def integer(self, least: int, most: int) -> int:
        found = self.value()
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            raise self.wrong(f"takes a number from {least} to {most}, not {self._shown()}")
        return found

    def number(self, least: float, most: float) -> float:
        found = self.value()
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        if not is_number or not least <= found <= most:
            raise self.wrong(f"takes a number from {least:g} to {most:g}, not {self._shown()}")
        return float(found)

    def texts(self) -> dict[str, str]:
        """Return a mapping of words to words, such as labels."""
        return {name: place.label() for name, place in self.fields().items()}

    def label(self) -> str:
        """Return a word as labels have it: text, though it may look like something else to YAML."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.wrong(f"takes a word, not {self._shown()}")
        return str(self.node.value)

    def mapping(self) -> dict[str, Any]:
        """Return a mapping as JSON has it."""
        self.fields()
        try:
            return msgspec.json.decode(msgspec.json.encode(self.value()), type=dict[str, Any])
        except (RecursionError, TypeError, ValueError) as error:
            raise self.wrong(f"cannot be written as JSON: {_line(error)}") from error

    @property
    def where(self) -> str:
        """The file, the line and the path."""
        line = f"{self.file}, line {self.node.start_mark.line + 1}"
        return f"{line}: {self.path}" if self.path else line

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise Place(self.file, self.path, node).wrong("a key has to be a word")
        return str(node.value)

    def _below(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _shown(self) -> str:
        match self.node:
            case yaml.MappingNode():
                return "a mapping"
            case yaml.SequenceNode():
                return "a list"
            case _:
                return repr(self.node.value) if self.node.value else "nothing"


class _Loader(yaml.SafeLoader):
    """Makes values of nodes. Dates stay words, as in Kubernetes."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str, file: str) -> Place:
    """Return the one document of a text. Raises WrongInputError where it is no YAML."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise WrongInputError(f"{file}{line}: is no YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise WrongInputError(f"{file}: is no YAML: {_line(error)}") from error
    if node is None:
        raise WrongInputError(f"{file}: is empty")
    return Place(file, "", node)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
