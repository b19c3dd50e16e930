"""An istioctl is found by its version, and what is none is refused in words that help."""

import contextlib
from pathlib import Path

import pytest

from tasks.adapters.istioctl import find
from tasks.domain.errors import BadInputError
from tasks.domain.revision import Version
from tests.unit.programs import SECRET, FakeIstioctl, a_program, surroundings

NEW = Version.parse("1.29.1")
ADVICE = "name an istioctl with --istioctl PATH"


def test_of_several_paths_the_one_of_the_version_asked_for_is_taken(tmp_path: Path) -> None:
    old = FakeIstioctl(tmp_path, name="old", version="1.28.3")
    new = FakeIstioctl(tmp_path, name="new")
    found = find([str(old.file), str(new.file)], version=NEW, environment=surroundings())
    assert (found.path, found.version) == (new.file, "1.29.1")


def test_without_a_path_the_one_that_bears_its_version_in_its_name_comes_first(
    tmp_path: Path,
) -> None:
    FakeIstioctl(tmp_path)
    versioned = FakeIstioctl(tmp_path, name="istioctl-1.29.1")
    assert find([], version=NEW, environment=surroundings(tmp_path)).path == versioned.file


def test_a_broken_one_on_the_path_does_not_hide_a_good_one(tmp_path: Path) -> None:
    a_program(tmp_path / "istioctl-1.29.1", "exit 1")
    good = FakeIstioctl(tmp_path)
    assert find([], version=NEW, environment=surroundings(tmp_path)).path == good.file


def test_a_relative_path_means_the_file_there_and_not_one_on_the_path(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    FakeIstioctl(elsewhere)
    with contextlib.chdir(here):
        with pytest.raises(BadInputError, match=r"\./istioctl is no file"):
            find(["./istioctl"], version=NEW, environment=surroundings(elsewhere))
        FakeIstioctl(here)
        found = find(["./istioctl"], version=NEW, environment=surroundings(elsewhere))
    assert found.path == here / "istioctl"


def test_an_istioctl_of_another_version_is_refused_by_what_it_is(tmp_path: Path) -> None:
    old = FakeIstioctl(tmp_path, version="1.28.3")
    with pytest.raises(BadInputError) as caught:
        find([str(old.file)], version=NEW, environment=surroundings())
    assert str(caught.value) == (
        f"no istioctl 1.29.1 was found ({old.file} is 1.28.3); name one with --istioctl PATH"
    )


def test_that_there_is_none_at_all_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        find([], version=NEW, environment={"PATH": str(tmp_path)})
    assert str(caught.value) == (
        "no istioctl 1.29.1 was found (none is on the PATH); name one with --istioctl PATH"
    )


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 1", "it did not say why"),
        ("echo 'Error: unknown command'; exit 1", "unknown command"),
        ("echo hello", "prints no version as istioctl does"),
        ("""echo '{"clientVersion": {"version": "1.30-alpha.abc"}}'""", "'1.30-alpha.abc'"),
        ("kill -9 $$", "signal 9"),
        ("env; exit 1", "PATH="),
    ],
)
def test_a_program_that_is_no_istioctl_is_refused_with_its_words_and_advice(
    tmp_path: Path, script: str, words: str
) -> None:
    program = a_program(tmp_path / "istioctl", script)
    with pytest.raises(BadInputError) as caught:
        find([str(program)], version=NEW, environment=surroundings())
    said = str(caught.value)
    assert said.startswith(str(program))
    assert words in said
    assert said.endswith(f"; {ADVICE}")
    assert SECRET not in said


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    binary = tmp_path / "other-machine"
    binary.write_bytes(b"\x7fELF\x00")
    binary.chmod(0o755)
    cases = {
        str(tmp_path / "missing"): "is no file",
        str(tmp_path): "is no file",
        str(tmp_path / "not-executable"): r"chmod \+x",
        str(binary): "Exec format error",
        "no-such-istioctl": "on the PATH",
        "": "on the PATH",
        "~nobody-of-that-name/istioctl": "home",
    }
    for path, words in cases.items():
        with pytest.raises(BadInputError, match=words):
            find([path], version=NEW, environment=surroundings())
