"""
The key that votes are signed with, found by reference.

A configuration holds the reference, never the key. What is returned does not show itself when
printed; nothing here logs, and no message holds a byte of it.
"""

import contextlib
import os
import re
import secrets as randomness
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tasks.domain.errors import BadInputError

_SHORTEST: Final = 16
_LONGEST: Final = 65_536
_NAME: Final = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_SECRET: Final = re.compile(rf"(?P<namespace>{_NAME})/(?P<name>{_NAME})/(?P<key>[-._a-zA-Z0-9]+)")


class SigningKey(bytes):
    """A key that hides itself in logs and tracebacks."""

    def __repr__(self) -> str:
        return "SigningKey(hidden)"

    def __str__(self) -> str:
        return repr(self)


def load(reference: str, *, secrets: Callable[[str, str, str], bytes]) -> SigningKey:
    """
    Return the key behind `file:PATH` or `secret:NAMESPACE/NAME/KEY`.

    `secrets` returns a value of a Secret by namespace, name and key. White space around a signing
    key does not count.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "file" and rest:
        return _long_enough(_read(Path(rest).expanduser()), where=f"the signing key in {rest}")
    if scheme == "secret" and (parts := _SECRET.fullmatch(rest)):
        return _long_enough(secrets(*parts.groups()), where=f"the signing key in Secret {rest}")
    raise BadInputError(
        "the signing key's reference is neither file:PATH nor secret:NAMESPACE/NAME/KEY"
    )


def _long_enough(content: bytes, *, where: str) -> SigningKey:
    key = SigningKey(content.strip())
    if len(key) < _SHORTEST:
        raise BadInputError(
            f"{where} has {len(key)} bytes; it needs {_SHORTEST} at least, made of random ones"
        )
    return key


def _read(path: Path) -> bytes:
    try:
        # Not blocking: a named pipe would keep us waiting before we could see that it is one.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise BadInputError(f"the signing key in {path} cannot be read") from error
    try:
        _check(os.fstat(descriptor), path)
        return os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)


def _check(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise BadInputError(f"the signing key in {path} is no regular file")
    if found.st_uid not in {0, os.geteuid()}:
        raise BadInputError(f"the signing key in {path} belongs to somebody else")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise BadInputError(
            f"the signing key in {path} can be read by others; it needs mode 0600, or use a Secret "
            "by secret:NAMESPACE/NAME/KEY"
        )


def ensure_file(path: Path) -> None:
    """Make a key of 32 random bytes, in hexadecimal, unless the file is there already."""
    if path.exists():
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
    except OSError as error:
        raise BadInputError(f"no signing key can be made in {path}") from error


def _make(path: Path) -> None:
    # Written beside and linked into place: whoever comes second finds a whole key, and keeps it.
    draft = path.with_name(f".{path.name}.{randomness.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(randomness.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
