"""What is wrong with blocks, each fault with where it is."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import cast

from deployments.rehearsal.slack.objects import Json, object_of


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document, and the faults that were found in all of it."""

    pointer: str = ""
    found: list[str] = field(default_factory=list[str])

    def at(self, *path: object) -> "Place":
        return replace(self, pointer="/".join([self.pointer, *map(str, path)]))

    def say(self, fault: str) -> None:
        self.found.append(f"{fault} [json-pointer:{self.pointer or '/'}]")

    def only(self, owner: Json, known: AbstractSet[str]) -> None:
        """Refuse what has no meaning."""
        for name in sorted(owner.keys() - known):
            self.say(f"invalid additional property: {name}")

    def missing(self, name: str) -> None:
        self.say(f"missing required field: {name}")

    def string(self, owner: Json, name: str, most: int, *, required: bool = False) -> None:
        """Look at a string that may be so long."""
        value, place = owner.get(name), self.at(name)
        if value is None:
            if required:
                self.missing(name)
        elif not isinstance(value, str):
            place.say("must be a string")
        else:
            place.length(value, most, empty=not required)

    def length(self, value: str, most: int, *, empty: bool = False) -> None:
        if not value and not empty:
            self.say("must be more than 0 characters")
        if len(value) > most:
            self.say(f"must be less than {most + 1} characters")

    def items(self, owner: Json, name: str, most: int, *, required: bool = True) -> list[Json]:
        """Return the objects of a list that may be so long; none if it is not one."""
        value: object = owner.get(name)
        place = self.at(name)
        if value is None:
            if required:
                self.missing(name)
            return []
        if not isinstance(value, list):
            place.say("must be an array")
            return []
        found = cast("list[object]", value)
        if not found and required:
            place.say("no less than 1 items allowed")
        if len(found) > most:
            place.say(f"no more than {most} items allowed")
        for number, item in enumerate(found):
            if not isinstance(item, dict):
                place.at(number).say("must be an object")
        return [object_of(one) for one in found]

    def object(self, owner: Json, name: str, *, required: bool = False) -> Json | None:
        """Return the object of that name, if it is one."""
        value = owner.get(name)
        if value is None:
            if required:
                self.missing(name)
            return None
        if not isinstance(value, dict):
            self.at(name).say("must be an object")
            return None
        return cast("Json", value)
