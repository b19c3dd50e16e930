"""What the minors install: the recorded data, with names put into its blanks. Knows no cluster."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final, cast

Json = dict[str, Any]

DEFAULT: Final = "default"
USUAL_NAMESPACE: Final = "istio-system"
_DATA: Final = Path(__file__).with_name("data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What one install chooses."""

    revision: str = ""  # empty: an install without one
    namespace: str = USUAL_NAMESPACE
    hub: str = ""
    tag: str = ""

    def filled(self, part: Json) -> Json:
        """Return a part of the data with these names in its blanks."""
        blanks = {
            "revision": self.revision or DEFAULT,
            "suffix": f"-{self.revision}" if self.revision else "",
            "namespace": self.namespace,
            "hub": self.hub,
            "tag": self.tag,
        }
        return cast("Json", _filled(part, blanks))


def _filled(part: object, blanks: dict[str, str]) -> object:
    if isinstance(part, dict):
        return {key: _filled(one, blanks) for key, one in cast("Json", part).items()}
    if isinstance(part, list):
        return [_filled(one, blanks) for one in cast("list[object]", part)]
    return Template(part).substitute(blanks) if isinstance(part, str) and "${" in part else part


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One object, and the component that installs it."""

    component: str
    object: Json


class Description:
    """The recorded data of one version's minor."""

    def __init__(self, version: str, data: Json) -> None:
        self._data = data
        self.version = version

    @classmethod
    def of(cls, version: str) -> "Description":
        """Read a version's data. Raises FileNotFoundError for a minor that was never recorded."""
        major, minor, _ = version.split(".", 2)
        return cls(version, json.loads((_DATA / f"{major}-{minor}.json").read_bytes()))

    def client(self) -> Json:
        """Return what `version` says of the program itself."""
        client: Json = self._data["client"]
        return client | {"version": self.version, "tag": self.version}

    def mesh(self, names: Names) -> Json:
        """Return the mesh configuration before anybody changed it."""
        return names.filled(self._data["mesh"])

    def values(self, names: Names) -> Json:
        """Return the charts' own values."""
        values = names.filled(self._data["values"])
        values["revision"] = names.revision
        return values

    def objects(self, names: Names) -> list[Described]:
        """Return all objects that any profile here installs."""
        different = {} if names.revision else self._unrevisioned(names)
        return [
            Described(
                component=one["component"],
                object=different.get(_key(filled), filled),
            )
            for one in cast("Sequence[Json]", self._data["objects"])
            for filled in [names.filled(one["object"])]
        ]

    def one(self, kind: str, stem: str, names: Names) -> Json:
        """Return an object of istiod's own by its name without a revision."""
        name = f"{stem}-{names.revision}" if names.revision else stem
        return next(one.object for one in self.objects(names) if _key(one.object) == (kind, name))

    def _unrevisioned(self, names: Names) -> dict[tuple[str, str], Json]:
        filled = [names.filled(one) for one in self._data["unrevisioned"]]
        return {_key(one): one for one in filled}


def _key(obj: Json) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]
