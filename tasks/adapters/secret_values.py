"""
Secrets by reference: Slack's tokens and its signing secret.

A configuration holds the reference, never the secret. What is returned shows itself only when asked
by name; nothing here logs, and no message holds a byte of it.
"""

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tasks.domain.errors import BadInputError

_LONGEST: Final = 65_536
_NAME: Final = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_SECRET: Final = re.compile(rf"(?P<namespace>{_NAME})/(?P<name>{_NAME})/(?P<key>[-._a-zA-Z0-9]+)")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Secrets = Callable[[str, str, str], bytes]  # a value of a Secret, by namespace, name and key


class Secret:
    """A word that hides itself in logs and tracebacks."""

    __slots__ = ("_word",)

    def __init__(self, word: str) -> None:
        self._word = word

    def reveal(self) -> str:
        return self._word

    def __repr__(self) -> str:
        return "Secret(hidden)"


def load(
    reference: str, *, what: str, environ: Mapping[str, str], secrets: Secrets | None = None
) -> Secret:
    """Return what is behind `env:NAME`, `file:PATH` or `secret:NAMESPACE/NAME/KEY`."""
    scheme, _, rest = reference.partition(":")
    if scheme == "env" and _VARIABLE.fullmatch(rest):
        if rest not in environ:
            raise BadInputError(f"{what} is to be found in ${rest}, which is not set")
        return _word(environ[rest].encode(errors="surrogateescape"), where=f"{what} in ${rest}")
    if scheme == "file" and rest:
        return _word(read_file(Path(rest).expanduser(), what=what), where=f"{what} in {rest}")
    if scheme == "secret" and (parts := secret_parts(rest)) is not None:
        if secrets is None:
            raise BadInputError(
                f"{what} is in Secret {rest}, but no cluster to read it from is named"
            )
        return _word(secrets(*parts), where=f"{what} in Secret {rest}")
    # Not quoted: it may be the secret itself.
    raise BadInputError(
        f"the reference to {what} is none of env:NAME, file:PATH and secret:NAMESPACE/NAME/KEY"
    )


def secret_parts(text: str) -> tuple[str, str, str] | None:
    """Return namespace, name and key of `NAMESPACE/NAME/KEY`."""
    parts = _SECRET.fullmatch(text)
    return None if parts is None else (parts["namespace"], parts["name"], parts["key"])


def _word(content: bytes, *, where: str) -> Secret:
    content = content.strip()
    # It becomes part of a header; and what is no such word was copied with something around it.
    if not content or not all(0x21 <= byte <= 0x7E for byte in content):
        raise BadInputError(f"{where} is not one word of plain letters, digits and signs")
    return Secret(content.decode("ascii"))


def read_file(path: Path, *, what: str) -> bytes:
    """Read a file that nobody else may read. Raises BadInputError for any other."""
    try:
        # Not blocking: a named pipe would keep us waiting before we could see that it is one.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{what} in {path} cannot be read") from error
    try:
        _check(os.fstat(descriptor), f"{what} in {path}")
        return os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)


def _check(found: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise BadInputError(f"{where} is no regular file")
    if found.st_uid not in {0, os.geteuid()}:
        raise BadInputError(f"{where} belongs to somebody else")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise BadInputError(
            f"{where} can be read by others; it needs mode 0600, or use a Secret by "
            "secret:NAMESPACE/NAME/KEY"
        )
