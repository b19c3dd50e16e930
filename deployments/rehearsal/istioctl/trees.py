"""Trees of settings: merged, and set at a path as `--set` does it. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import yaml

from deployments.rehearsal.istioctl.errors import CommandError

Json = dict[str, Any]

_STEP: Final = re.compile(r"^(?P<name>.*?)(?:\.?\[(?P<index>\d+)\])?$")
_DOT: Final = re.compile(r"(?<!\\)\.(?!\[)")


def merged(under: Json, over: Mapping[str, Any]) -> Json:
    """Return one tree laid over another: maps are merged, all else is replaced, null removes."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            result[key] = merged(cast("Json", below), cast("Json", value))
        elif value is None and key in result:
            del result[key]
        else:
            result[key] = value
    return result


def at(tree: Mapping[str, Any], path: str) -> Any:
    """Return what is at a dotted path, None if nothing is."""
    found: Any = tree
    for step in path.split("."):
        if not isinstance(found, dict) or step not in found:
            return None
        found = cast("Json", found)[step]
    return found


def with_setting(tree: Json, setting: str) -> Json:
    """Return the tree with `PATH=VALUE` in it. Raises CommandError."""
    path, equals, text = setting.partition("=")
    if not path or not equals:
        raise CommandError(f"merge inputs: bad --set {setting!r}: want PATH=VALUE")
    steps = [step.replace("\\.", ".") for step in _DOT.split(path)]
    return merged(tree, _nested(tree, steps, _scalar(text)))


def _scalar(text: str) -> object:
    """Return a value as YAML has it; versions such as 1.28 stay text."""
    if re.fullmatch(r"\d+\.\d+", text):
        return text
    try:
        value: object = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, bool | int) else text


def _nested(under: Mapping[str, Any], steps: list[str], value: object) -> Json:
    step, rest = steps[0], steps[1:]
    parts = _STEP.match(step)
    name, index = (parts["name"], parts["index"]) if parts else (step, None)
    below = under.get(name)
    if index is None:
        inner = cast("Json", below) if isinstance(below, dict) else {}
        return {name: _nested(inner, rest, value) if rest else value}
    items: list[Any] = list(below) if isinstance(below, list) else []  # pyright: ignore[reportUnknownArgumentType]
    place = int(index)
    items += [{}] * (place + 1 - len(items))
    items[place] = merged(items[place], _nested(items[place], rest, value)) if rest else value
    return {name: items}
