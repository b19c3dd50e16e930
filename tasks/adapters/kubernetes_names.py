"""Names on their way into a URL: only what Kubernetes itself takes for a name gets in."""

import re
from typing import Final

from tasks.domain.errors import BadInputError

# RFC 1123 names, and the freer ones of roles; never a slash, a percent sign or dots alone.
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?")
_PATH: Final = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._:-]*)+")


def segment(name: str) -> str:
    """Return a name that may be put into a path. Raises BadInputError for any other."""
    if _NAME.fullmatch(name) is None or ".." in name:
        raise BadInputError(
            f"{name[:80]!r} is no name of a Kubernetes object: "
            "letters, digits, '-' and '.', 253 at most"
        )
    return name


def checked_path(path: str) -> str:
    """Return a path that is made of names only. Raises BadInputError for any other."""
    if _PATH.fullmatch(path) is None or ".." in path:
        raise BadInputError(f"{path[:200]!r} is no path of the Kubernetes API")
    return path
