"""The command line's options: what flags and files become, and what is said when they cannot."""

import re
from pathlib import Path
from typing import Any

import pytest

from flows.cli_options import access, read_parameters, waves
from tasks.domain.errors import BadInputError
from tasks.domain.parameters import ClusterAccess, OverlayFile, UpgradeParameters
from tasks.domain.policy import GateName
from tests.architecture.repository import read

ALL = [GateName.START, GateName.WAVE, GateName.DEFAULT, GateName.UNINSTALL]


def written(folder: Path, text: str) -> Path:
    file = folder / "upgrade.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def asked(
    file: Path | None = None,
    *,
    filenames: tuple[Path, ...] = (),
    gates: str | None = None,
    **flags: Any,  # noqa: ANN401 - whatever the flags hold
) -> UpgradeParameters:
    return read_parameters(file, flags, filenames=filenames, gates=gates)


# ---------------------------------------------------------------- waves


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        pytest.param(None, [], id="no wave"),
        pytest.param(["shop"], [["shop"]], id="one namespace"),
        pytest.param(["b,a", "c"], [["b", "a"], ["c"]], id="in the order given"),
    ],
)
def test_waves_are_lists_of_namespaces(given: list[str] | None, meant: list[list[str]]) -> None:
    assert waves(given) == meant


@pytest.mark.parametrize("empty", ["", "shop,", ",shop", "shop,,bank"])
def test_a_wave_without_a_name_is_told_by_its_number(empty: str) -> None:
    with pytest.raises(BadInputError, match=r"^--wave number 2 is empty or has an empty name"):
        waves(["staging", empty])


def test_a_namespace_in_two_waves_is_refused() -> None:
    with pytest.raises(BadInputError, match="namespace shop is in wave 1 and again in wave 2"):
        asked(to="1.29.1", waves=[["shop"], ["shop"]])


# ---------------------------------------------------------------- gates


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param(None, ALL, id="nothing said means all"),
        pytest.param("all", ALL, id="all"),
        pytest.param("none", [], id="none"),
        pytest.param("start", [GateName.START], id="one"),
        pytest.param("wave,uninstall", [GateName.WAVE, GateName.UNINSTALL], id="some"),
    ],
)
def test_gates_are_named(text: str | None, meant: list[GateName]) -> None:
    assert asked(to="1.29.1", gates=text).gates.at == meant


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        pytest.param("lunch", "lunch", id="no gate of ours"),
        pytest.param("start,lunch", "lunch", id="one of several"),
        pytest.param("start,none", "none", id="none beside another"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_an_unknown_gate_is_told_with_those_that_there_are(text: str, wrong: str) -> None:
    with pytest.raises(BadInputError) as raised:
        asked(to="1.29.1", gates=text)
    assert str(raised.value) == (
        "--gates takes all, none, or some of default, start, uninstall, wave; not " + repr(wrong)
    )


def test_gates_on_the_command_line_keep_the_policy_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "to: 1.29.1\ngates: {at: [start, wave], quorum: 2}\n")
    gates = asked(file, gates="uninstall").gates
    assert gates.at == [GateName.UNINSTALL]
    assert gates.quorum == 2


def test_gates_that_are_no_mapping_in_the_file_are_told(tmp_path: Path) -> None:
    file = written(tmp_path, "to: 1.29.1\ngates: all\n")
    with pytest.raises(BadInputError, match=r"^gates: takes a mapping of settings, not 'all'$"):
        asked(file, gates="all")


# ---------------------------------------------------------------- overlays


def test_overlays_are_read_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("spec: {}\n", encoding="utf-8")
    second.write_text("# größer\n", encoding="utf-8")
    assert asked(to="1.29.1", filenames=(second, first)).overlays == [
        OverlayFile(name="b.yaml", content="# größer\n"),
        OverlayFile(name="a.yaml", content="spec: {}\n"),
    ]


def test_overlays_on_the_command_line_replace_those_of_the_file(tmp_path: Path) -> None:
    overlay = tmp_path / "new.yaml"
    overlay.write_text("spec: {}\n", encoding="utf-8")
    file = written(tmp_path, "to: 1.29.1\noverlays: [{name: old.yaml, content: ''}]\n")
    assert [one.name for one in asked(file).overlays] == ["old.yaml"]
    assert [one.name for one in asked(file, filenames=(overlay,)).overlays] == ["new.yaml"]


def test_an_overlay_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "overlay.yaml"
    with pytest.raises(BadInputError) as raised:
        asked(to="1.29.1", filenames=(missing,))
    assert str(raised.value) == f"--filename {missing} cannot be read: No such file or directory"


def test_an_overlay_that_is_no_text_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "overlay.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError) as raised:
        asked(to="1.29.1", filenames=(binary,))
    assert str(raised.value) == f"--filename {binary} cannot be read: it is no UTF-8 text"


# ---------------------------------------------------------------- the parameters file


def test_flags_go_over_the_file_and_leave_the_rest(tmp_path: Path) -> None:
    file = written(tmp_path, "to: 1.28.5\nrevision: blue\nkeep_old: true\nwaves: [[shop]]\n")
    parameters = asked(file, to="1.29.1", waves=[["bank"]])
    assert parameters.to == "1.29.1"
    assert parameters.waves == [["bank"]]
    assert parameters.revision == "blue"
    assert parameters.keep_old


def test_a_flag_that_was_not_given_leaves_the_file_s_word(tmp_path: Path) -> None:
    file = written(tmp_path, "to: 1.29.1\nistioctl: [/opt/istioctl]\nwaves: [[shop]]\n")
    parameters = asked(file, to=None, istioctl=None, waves=[])
    assert parameters.istioctl == ["/opt/istioctl"]
    assert parameters.waves == [["shop"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("to: [1.29.1", "is not YAML: while parsing a flow sequence", id="no YAML"),
        pytest.param("", "holds no mapping of parameters", id="an empty file"),
        pytest.param("- to: 1.29.1\n", "holds no mapping of parameters", id="a list"),
    ],
)
def test_a_parameters_file_that_cannot_be_used_is_named(
    tmp_path: Path, text: str, told: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadInputError) as raised:
        asked(file)
    assert str(raised.value).startswith(f"--parameters {file} {told}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("too: 1.29.1\nto: 1.29.1\n", "too: Extra inputs", id="a key misspelt"),
        pytest.param("to: 1.29\n", "to: Input should be a valid string", id="half a version"),
        pytest.param("to: 1.29.1\n1: 2\n", "1: ", id="a key that is no text"),
        pytest.param("to: 1.29.1\nwaves: shop\n", "waves: Input should be", id="waves as text"),
    ],
)
def test_a_wrong_parameter_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInputError) as raised:
        asked(written(tmp_path, text))
    assert told in str(raised.value)


def test_a_parameters_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "upgrade.yaml"
    with pytest.raises(BadInputError) as raised:
        asked(file, to="1.29.1")
    assert str(raised.value) == f"--parameters {file} cannot be read: No such file or directory"


def test_a_folder_is_no_parameters_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as raised:
        asked(tmp_path, to="1.29.1")
    assert str(raised.value) == f"--parameters {tmp_path} cannot be read: Is a directory"


def test_a_parameters_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "upgrade.yaml"
    file.write_bytes(b"to: \xff")
    with pytest.raises(BadInputError) as raised:
        asked(file, to="1.29.1")
    assert str(raised.value) == f"--parameters {file} cannot be read: it is no UTF-8 text"


def test_a_missing_version_is_told_with_an_example() -> None:
    with pytest.raises(BadInputError, match=r"^--to is missing: .* e\.g\. --to 1\.29\.1$"):
        asked()


def test_the_readme_s_parameters_file_is_one(tmp_path: Path) -> None:
    example = re.search(
        r"```yaml\n([^`]*waves:[^`]*)```", read("README.md").split("## Parameters")[1]
    )
    assert example is not None
    parameters = asked(written(tmp_path, example[1]))
    assert parameters.gates.policy().person("kubernetes:ann@example.com") == "ann"
    assert parameters.waves == [["staging"], ["shop", "bank"]]


def test_a_cluster_is_named_in_kubeconfig_s_terms() -> None:
    assert access("/etc/config", "prod", "mesh") == ClusterAccess(
        kubeconfig="/etc/config", context="prod", istio_namespace="mesh"
    )


def test_cluster_flags_go_over_the_file_one_by_one(tmp_path: Path) -> None:
    file = written(tmp_path, "to: 1.29.1\ncluster: {context: prod, istio_namespace: mesh}\n")
    found = asked(file, cluster={"kubeconfig": "/mine"}).cluster
    assert found == ClusterAccess(kubeconfig="/mine", context="prod", istio_namespace="mesh")


def test_a_date_that_is_none_is_told_as_bad_yaml(tmp_path: Path) -> None:
    file = written(tmp_path, "to: 2001-99-99\n")
    with pytest.raises(BadInputError, match="is not YAML"):
        asked(file)
