"""Command lines are read as istioctl reads them, and refused in its words."""

import pytest

from deployments.rehearsal.istioctl import trees
from deployments.rehearsal.istioctl.errors import UsageError
from deployments.rehearsal.istioctl.options import Flag, Options, Takes, parsed

FLAGS = (
    Flag(name="filename", short="f"),
    Flag(name="set", short="s"),
    Flag(name="skip-confirmation", short="y", takes=Takes.SWITCH),
    Flag(name="remote", takes=Takes.SWITCH),
    Flag(name="readiness-timeout", takes=Takes.DURATION),
    Flag(name="verbosity", short="v", takes=Takes.NUMBER),
)


def read(*argv: str) -> Options:
    return parsed(argv, FLAGS)


def test_flags_may_stand_anywhere_and_be_repeated() -> None:
    options = read("prod", "--set", "a=1", "-f", "x,y", "--set=b=2", "-y", "more")

    assert options.arguments == ("prod", "more")
    assert options.every("set") == ["a=1", "b=2"]
    assert options.every_part("filename") == ["x", "y"]
    assert options.has("skip-confirmation")


def test_after_two_dashes_nothing_is_a_flag() -> None:
    assert read("--", "-y").arguments == ("-y",)


def test_a_switch_may_be_given_a_value() -> None:
    assert not read("--remote=false").has("remote", otherwise=True)
    assert read().has("remote", otherwise=True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("285s", 285), ("1m30s", 90), ("2h", 7200), ("500ms", 0.5)]
)
def test_durations_are_go_s(text: str, seconds: float) -> None:
    assert read("--readiness-timeout", text).seconds("readiness-timeout", 1) == seconds


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--bogus"], "unknown flag: --bogus"),
        (["-q"], "unknown shorthand flag: 'q' in -q"),
        (["--set"], "flag needs an argument: --set"),
        (["--readiness-timeout=5"], 'flag: time: missing unit in duration "5"'),
        (["-v", "x"], 'flag: strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(argv: list[str], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(*argv)

    assert str(raised.value).endswith(words)
    assert raised.value.code == 64


@pytest.mark.parametrize(
    ("setting", "tree"),
    [
        ("a.b=1", {"a": {"b": 1}}),
        ("a=true", {"a": True}),
        ("tag=1.28", {"tag": "1.28"}),
        (r"a.x\.y/z=v", {"a": {"x.y/z": "v"}}),
        ("a[0].name=n", {"a": [{"name": "n"}]}),
        ("a.[1]=n", {"a": [{}, "n"]}),
        ("a=b=c", {"a": "b=c"}),
    ],
)
def test_a_setting_is_a_path_into_a_tree(setting: str, tree: dict[str, object]) -> None:
    assert trees.with_setting({}, setting) == tree


def test_a_later_tree_wins_and_null_removes() -> None:
    under = {"a": {"b": 1, "c": [1]}, "d": 2}

    assert trees.merged(under, {"a": {"c": [2]}, "d": None}) == {"a": {"b": 1, "c": [2]}}
