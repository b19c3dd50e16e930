"""The executables: started by their path, without a cluster."""

import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from deployments.rehearsal.istioctl import forwarding, kubeconfig, proxy_status
from deployments.rehearsal.istioctl.errors import CommandError
from deployments.rehearsal.istioctl.programs import write_programs


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return write_programs(tmp_path_factory.mktemp("with a space"))


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"HOME": "/nonexistent"},  # nothing of ours leads it to its libraries
    )


@pytest.mark.parametrize("version", ["1.28.3", "1.29.1"])
def test_each_says_its_version(programs: Mapping[str, Path], version: str) -> None:
    done = run(programs[version], "version", "--remote=false", "-o", "json")

    assert json.loads(done.stdout)["clientVersion"]["version"] == version
    assert (done.returncode, done.stderr) == (0, "")


def test_it_starts_in_well_under_half_a_second(programs: Mapping[str, Path]) -> None:
    def worked() -> float:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return spent.ru_utime + spent.ru_stime

    def seconds() -> float:
        before = worked()  # not the clock: others may be busy here, too
        run(programs["1.29.1"], "version", "--remote=false")
        return worked() - before

    assert min(seconds() for _ in range(5)) < 0.4


def test_a_question_without_a_cluster_loads_nothing_that_speaks_to_one() -> None:
    code = (
        "import sys; from deployments.rehearsal.istioctl.main import main;"
        "main(['version', '--remote=false'], version='1.29.1');"
        "print(sorted({'ssl', 'yaml', 'websockets', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bogus"], 64, 'unknown command "bogus" for "istioctl"'),
        (["version", "--bogus"], 64, "unknown flag: --bogus"),
        (["tag", "bogus"], 1, 'unknown subcommand "bogus"'),
        (["tag", "set"], 1, "must provide a tag for modification"),
        (["tag", "set", "x"], 1, 'required flag(s) "revision" not set'),
        (["uninstall"], 1, "at least one of the --revision"),
        (["install", "-y", "--revision", "1.29.1"], 1, "invalid revision specified: 1.29.1"),
        (["--kubeconfig", "/nowhere", "tag", "list"], 1, "stat /nowhere: no such file"),
        (["x", "internal-debug"], 64, "debug type is required"),
    ],
)
def test_errors_are_one_line_on_stderr(
    programs: Mapping[str, Path], arguments: list[str], code: int, words: str
) -> None:
    done = run(programs["1.28.3"], *arguments)

    assert done.returncode == code, done
    assert done.stderr.startswith("Error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_version_without_a_cluster_is_still_told(programs: Mapping[str, Path]) -> None:
    done = run(programs["1.28.3"], "--kubeconfig", "/nowhere", "version")

    assert done.returncode == 0
    assert done.stdout == "client version: 1.28.3\n"
    assert "Istio is not present in the cluster" in done.stderr


def test_the_first_of_several_kubeconfigs_wins(tmp_path: Path) -> None:
    def config(server: str, context: str) -> str:
        return json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
                "current-context": context,
            }
        )

    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(config("https://one:1/", "a"))
    second.write_text(config("https://two:2", "b"))
    environment = {"KUBECONFIG": f"{first}:{second}"}

    assert kubeconfig.access(environment).server == "https://one:1"
    assert kubeconfig.access(environment, context="b").token == "t"
    assert kubeconfig.access({}, path=str(second)).server == "https://two:2"
    with pytest.raises(CommandError, match='context "z" does not exist'):
        kubeconfig.access(environment, context="z")


@pytest.mark.parametrize(
    "chunks",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"],
        [b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 2\r\n\r\n[", b"]"],
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n",
            b"1\r\n]\r\n0\r\n\r\n",
        ],
    ],
)
def test_an_answer_through_a_port_forward_is_put_together(chunks: list[bytes]) -> None:
    assert forwarding.body_of(iter(chunks)) == b"[]"


def test_an_answer_that_is_cut_short_is_none() -> None:
    with pytest.raises(EOFError):
        forwarding.body_of(iter([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n["]))


CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"


def test_columns_are_five_spaces_apart() -> None:
    row = {
        "proxy": "a.shop",
        "cluster_id": "Kubernetes",
        "istio_version": "1.29.1",
        "resources": {CLUSTER: {"sent": "1", "acked": "1"}, LISTENER: {"sent": "2", "acked": "1"}},
    }

    plain = proxy_status.table([("istiod-x", row)], is_verbose=False)
    verbose = proxy_status.table([("istiod-x", row)], is_verbose=True)

    assert plain[0].split() == ["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED", "TYPES"]
    assert plain[1] == "a.shop     Kubernetes     istiod-x     1.29.1      2 (CDS,LDS)"
    assert verbose[0].split() == [
        "NAME", "CLUSTER", "CDS", "ECDS", "EDS", "LDS", "RDS", "ISTIOD", "VERSION",
    ]  # fmt: skip
    assert verbose[1].split()[2:7] == ["SYNCED", "IGNORED", "IGNORED", "STALE", "IGNORED"]
