import hmac
import os
import threading
from pathlib import Path

import pytest

from tasks.adapters import signing_key
from tasks.domain.errors import BadInputError, RefusedError

KEY = b"0123456789abcdef0123456789abcdef"


def no_secrets(namespace: str, name: str, key: str) -> bytes:
    raise RefusedError(f"no Secret was asked for, least of all {namespace}/{name}/{key}")


def a_file(path: Path, content: bytes = KEY, *, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return f"file:{path}"


def test_a_key_in_a_file_is_read_without_the_space_around_it(tmp_path: Path) -> None:
    reference = a_file(tmp_path / "key", KEY + b"\n")
    assert signing_key.load(reference, secrets=no_secrets) == KEY


def test_a_key_in_a_secret_is_asked_for_by_namespace_name_and_key() -> None:
    asked: list[tuple[str, str, str]] = []

    def secrets(namespace: str, name: str, key: str) -> bytes:
        asked.append((namespace, name, key))
        return KEY

    assert signing_key.load("secret:istio-system/votes/key.v1", secrets=secrets) == KEY
    assert asked == [("istio-system", "votes", "key.v1")]


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "file:",
        "/etc/key",
        "env:KEY",
        "secret:a/b",
        "secret:a/b/c/d",
        "secret:../b/c",
        "secret:A/b/c",
    ],
)
def test_a_malformed_reference_is_refused(reference: str) -> None:
    with pytest.raises(BadInputError, match="file:PATH"):
        signing_key.load(reference, secrets=no_secrets)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    reference = a_file(tmp_path / "key", mode=mode)
    with pytest.raises(BadInputError, match="0600"):
        signing_key.load(reference, secrets=no_secrets)


def test_a_short_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    reference = a_file(tmp_path / "key", b"  hunter2  \n\n\n\n\n\n\n\n")
    with pytest.raises(BadInputError, match="has 7 bytes") as caught:
        signing_key.load(reference, secrets=no_secrets)
    assert "hunter2" not in str(caught.value)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(BadInputError, match="no regular file"):
            signing_key.load(f"file:{path}", secrets=no_secrets)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read"):
        signing_key.load(f"file:{tmp_path / 'nothing'}", secrets=no_secrets)


def test_a_key_does_not_show_itself_and_still_signs(tmp_path: Path) -> None:
    key = signing_key.load(a_file(tmp_path / "key"), secrets=no_secrets)
    assert KEY.decode() not in f"{key!r} {key} {[key]}"
    assert hmac.digest(key, b"vote", "sha256") == hmac.digest(KEY, b"vote", "sha256")


def test_a_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    signing_key.ensure_file(path)
    first = path.read_bytes()
    signing_key.ensure_file(path)
    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(first.decode())) == 32
    assert signing_key.load(f"file:{path}", secrets=no_secrets) == first.strip()


def test_of_many_who_make_a_key_all_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "key"
    start = threading.Barrier(8)
    seen: list[bytes] = []

    def one() -> None:
        start.wait()
        signing_key.ensure_file(path)
        seen.append(path.read_bytes())

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_where_no_key_can_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="no signing key can be made"):
        signing_key.ensure_file(tmp_path / "file" / "key")
