"""Which scenario somebody means: one that is built in, or a file."""

from pathlib import Path
from typing import Final

from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.scenario.parsing import parse
from deployments.rehearsal.scenario.values import Scenario

_BUILT_IN: Final = Path(__file__).parents[1] / "scenarios"


def built_in() -> list[str]:
    """Return the names of the scenarios that come with this."""
    return sorted(path.stem for path in _BUILT_IN.glob("*.yaml"))


def find(name_or_path: str) -> Scenario:
    """Return a scenario by its name or its file's path. Raises WrongInputError."""
    path = _path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise WrongInputError(f"--scenario {name_or_path} cannot be read: {why}") from error
    return parse(text, file=path.name if path.parent == _BUILT_IN else str(path), source=path)


def _path(name_or_path: str) -> Path:
    if name_or_path in built_in():
        return _BUILT_IN / f"{name_or_path}.yaml"
    is_path = "/" in name_or_path or name_or_path.endswith((".yaml", ".yml"))
    if not is_path:
        raise WrongInputError(
            f"--scenario {name_or_path}: there is no such scenario; there are "
            f"{', '.join(built_in())}, and any file by its path"
        )
    return Path(name_or_path)
