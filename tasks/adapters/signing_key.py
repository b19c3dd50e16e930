"""
The key that votes are signed with, found by reference.

A configuration holds the reference, never the key. What is returned does not show itself when
printed; nothing here logs, and no message holds a byte of it.
"""

import contextlib
import os
import secrets as randomness
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tasks.adapters.secret_values import read_file, secret_parts
from tasks.domain.errors import BadInputError

_SHORTEST: Final = 16


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
        return _long_enough(
            read_file(Path(rest).expanduser(), what="the signing key"),
            where=f"the signing key in {rest}",
        )
    if scheme == "secret" and (parts := secret_parts(rest)) is not None:
        return _long_enough(secrets(*parts), where=f"the signing key in Secret {rest}")
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
