from pathlib import Path

import pytest

from tasks.adapters import secret_values
from tasks.adapters.secret_values import Secret
from tasks.domain.errors import BadInputError

TOKEN = "xoxb-1-never-shown"


def load(reference: str, **environ: str) -> Secret:
    return secret_values.load(
        reference, what="the token", environ=environ, secrets=lambda *_: TOKEN.encode() + b"\n"
    )


def test_a_secret_is_found_in_the_environment_in_a_file_and_in_a_cluster(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text(f"{TOKEN}\n")
    for reference in ("env:SLACK", f"file:{path}", "secret:mesh/slack/token"):
        assert load(reference, SLACK=TOKEN).reveal() == TOKEN


def test_a_secret_hides_itself() -> None:
    secret = load("env:SLACK", SLACK=TOKEN)
    assert "never-shown" not in f"{secret} {secret!r} {[secret]}"


@pytest.mark.parametrize(
    "reference",
    [TOKEN, "", "env:", "env:A B", "file:", "secret:a/b", "secret:../b/c", f"vault:{TOKEN}"],
)
def test_what_is_no_reference_is_refused_and_not_shown(reference: str) -> None:
    with pytest.raises(BadInputError, match="none of env:NAME") as caught:
        load(reference)
    assert "never-shown" not in str(caught.value)


@pytest.mark.parametrize(
    "word", ["", "  ", f"{TOKEN} x", f"{TOKEN}\nx", f"{TOKEN}\x00", f"{TOKEN}é"]
)
def test_what_cannot_stand_in_a_header_is_refused_and_not_shown(word: str) -> None:
    with pytest.raises(BadInputError, match="one word") as caught:
        load("env:SLACK", SLACK=word)
    assert "never-shown" not in str(caught.value)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(BadInputError, match=r"\$SLACK, which is not set"):
        load("env:SLACK")


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o644)
    with pytest.raises(BadInputError, match=r"the token in .* 0600"):
        load(f"file:{path}")


def test_a_secret_of_no_cluster_is_refused() -> None:
    with pytest.raises(BadInputError, match="no cluster"):
        secret_values.load("secret:mesh/slack/token", what="the token", environ={})
