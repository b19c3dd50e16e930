"""istioctl is called without a shell, with what it needs, and ended when it has to be."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.adapters.istioctl import IstioctlProgram, find
from tasks.adapters.ports import Guard, Istioctl
from tasks.domain.errors import (
    BadInputError,
    LeaseLostError,
    RefusedError,
    TransientError,
    UnhealthyError,
    UpgradeError,
)
from tasks.domain.removal import Listed
from tasks.domain.rendering import InstallRequest, Overlay
from tasks.domain.revision import Version
from tests.unit.programs import SECRET, FakeIstioctl, Life, life, surroundings

ROOT = Path(__file__).parents[2]
NEW = Version.parse("1.29.1")
MINUTE = timedelta(minutes=1)
REQUEST = InstallRequest(revision="1-29-1")
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n---\n"
# Prints the files that it was given, one after the other.
SHOWS_FILES = 'for a in "$@"; do case $a in --filename=*) cat "${a#*=}";; esac; done'


class Allowed:
    def check(self) -> None:
        """Never object."""


class EndsWhen:
    """A guard that objects once something is so."""

    def __init__(self, happened: Callable[[], bool], error: Exception) -> None:
        self._happened = happened
        self._error = error

    def check(self) -> None:
        if self._happened():
            raise self._error


Change = Callable[[Istioctl, Guard, timedelta], None]
CHANGES: dict[str, Change] = {
    "install": lambda program, guard, limit: program.install(REQUEST, guard=guard, timeout=limit),
    "uninstall": lambda program, guard, limit: program.uninstall(
        "1-28-3", namespace="istio-system", guard=guard, timeout=limit
    ),
    "tag": lambda program, guard, limit: program.set_tag(
        "prod", revision="1-29-1", namespace="istio-system", guard=guard, timeout=limit
    ),
}
changes = pytest.mark.parametrize("what", CHANGES)


@pytest.fixture
def fake(tmp_path: Path) -> FakeIstioctl:
    return FakeIstioctl(tmp_path)


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[Life]:
    with life(tmp_path) as made:
        yield made


def opened(fake: FakeIstioctl, **options: str) -> IstioctlProgram:
    return find([str(fake.file)], version=NEW, environment=surroundings(), **options)


def test_a_program_that_goes_away_later_is_refused_then(fake: FakeIstioctl) -> None:
    program = opened(fake)
    fake.file.unlink()
    with pytest.raises(BadInputError, match=f"{fake.file} cannot be started"):
        program.render(REQUEST)


def test_istioctl_gets_what_finds_the_cluster_and_none_of_our_secrets(
    fake: FakeIstioctl, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    fake.says(install=f"env > {shlex.quote(str(seen))}")
    more = {"AWS_PROFILE": "mesh", "HTTPS_PROXY": "http://proxy", "SLACK_TOKEN": SECRET}
    program = IstioctlProgram.open(
        str(fake.file), kubeconfig="~/a:/b", environment=surroundings(HOME="/home/x", **more)
    )
    program.install(REQUEST, guard=Allowed(), timeout=MINUTE)
    found = dict(line.split("=", 1) for line in seen.read_text().splitlines())
    assert SECRET not in found.values()
    assert (found["AWS_PROFILE"], found["HTTPS_PROXY"]) == ("mesh", "http://proxy")
    assert found["KUBECONFIG"] == f"{Path('~/a').expanduser()}:/b"
    assert not any(argument.startswith("--kubeconfig") for argument in fake.asked[0])


def test_every_command_that_touches_the_cluster_names_it(fake: FakeIstioctl) -> None:
    fake.says(uninstall="echo No resources will be pruned from the cluster")
    program = opened(fake, kubeconfig="/etc/kube", context="prod", istio_namespace="mesh")
    for change in CHANGES.values():
        change(program, Allowed(), MINUTE)
    program.list_removed("1-28-3", namespace="mesh", timeout=MINUTE)
    flags = ["--kubeconfig=/etc/kube", "--context=prod"]
    space = "--istioNamespace=istio-system"
    assert fake.asked == [
        ["install", "-y", "--readiness-timeout=45s", "--revision=1-29-1", *flags],
        ["uninstall", "-y", "--revision=1-28-3", space, *flags],
        ["tag", "set", "prod", "--revision=1-29-1", "--overwrite", "-y", space, *flags],
        [
            "uninstall", "-y", "--revision=1-28-3", "--istioNamespace=mesh", "--dry-run", *flags,
        ],
    ]  # fmt: skip


def test_what_is_rendered_is_asked_for_in_the_same_words_as_what_is_installed(
    fake: FakeIstioctl,
) -> None:
    request = InstallRequest(
        revision="1-29-1", namespace="mesh", sets=("a.b=x y", "c=$HOME;`id`", "d=-y")
    )
    program = opened(fake)
    program.render(request)
    program.install(request, guard=Allowed(), timeout=MINUTE)
    rendered, installed = fake.asked
    assert rendered[:2] == ["manifest", "generate"]
    assert rendered[2:] == [
        "--revision=1-29-1", "--set=values.global.istioNamespace=mesh",
        "--set=a.b=x y", "--set=c=$HOME;`id`", "--set=d=-y",
    ]  # fmt: skip
    assert installed[-len(rendered[2:]) :] == rendered[2:]


def test_overlays_are_given_in_order_in_files_that_only_we_read_and_that_go_again(
    fake: FakeIstioctl,
) -> None:
    fake.says(manifest=f'{SHOWS_FILES}; ls -ld "$(dirname "${{a#*=}}")" >&2')
    overlays = tuple(Overlay(name=f"{one}.yaml", content=CONFIG % one) for one in ("b", "a"))
    rendered = opened(fake).render(InstallRequest(revision="1-29-1", overlays=overlays))
    assert [one.name for one in rendered.objects] == ["a", "b"]
    assert rendered.warnings[0].startswith("drwx------")
    files = [Path(one.partition("=")[2]) for one in fake.asked[0] if one.startswith("--filename")]
    assert [file.name for file in files] == ["overlay-0.yaml", "overlay-1.yaml"]
    assert not any(file.parent.exists() for file in files)


@pytest.mark.parametrize(
    "refused",
    [
        InstallRequest(revision="--purge"),
        InstallRequest(revision=""),
        InstallRequest(revision="1-29-1", namespace="a b"),
        InstallRequest(revision="1-29-1", sets=("hub",)),
        InstallRequest(revision="1-29-1", sets=("=" + SECRET,)),
        InstallRequest(revision="1-29-1", sets=("hub=" + SECRET + "\0",)),
    ],
    ids=repr,
)
def test_names_and_settings_that_cannot_be_right_never_reach_istioctl(
    fake: FakeIstioctl, refused: InstallRequest
) -> None:
    program = opened(fake)
    for ask in (
        lambda: program.render(refused),
        lambda: program.install(refused, guard=Allowed(), timeout=MINUTE),
    ):
        with pytest.raises(BadInputError) as caught:
            ask()
        assert SECRET not in str(caught.value)
    assert fake.asked == []


def test_an_overlay_that_istioctl_refuses_is_refused_in_its_words_by_the_file_s_own_name(
    fake: FakeIstioctl,
) -> None:
    request = InstallRequest(
        revision="1-29-1", overlays=(Overlay(name="mine.yaml", content="spec: {nonsense: 1}"),)
    )
    fake.says(manifest='echo "Error: reading ${4#*=}: unknown field nonsense" >&2; exit 1')
    with pytest.raises(BadInputError) as caught:
        opened(fake).render(request)
    assert str(caught.value) == (
        "istioctl 1.29.1 refuses what is to be installed: reading mine.yaml: unknown field nonsense"
    )


@changes
def test_a_change_is_ended_at_once_when_the_guard_objects(
    fake: FakeIstioctl, alive: Life, what: str
) -> None:
    program = opened(fake.says(**{what: f"{alive.hold}; exec sleep 60"}))
    guard = EndsWhen(lambda: alive.has_begun, LeaseLostError("lost"))
    with pytest.raises(LeaseLostError):
        CHANGES[what](program, guard, MINUTE)
    assert alive.ends(within=0)


@changes
def test_no_change_begins_that_the_guard_does_not_allow(fake: FakeIstioctl, what: str) -> None:
    program = opened(fake)
    guard = EndsWhen(lambda: True, LeaseLostError("lost"))
    with pytest.raises(LeaseLostError):
        CHANGES[what](program, guard, MINUTE)
    assert fake.asked == []


@changes
def test_a_change_that_takes_too_long_is_ended_and_may_be_tried_again(
    fake: FakeIstioctl, alive: Life, what: str
) -> None:
    program = opened(fake.says(**{what: f"{alive.hold}; exec sleep 60"}))
    with pytest.raises(TransientError, match=f"istioctl {what} did not end within 1 s"):
        CHANGES[what](program, Allowed(), timedelta(seconds=1))
    assert alive.ends(within=0)


def test_an_install_ends_with_the_process_that_wanted_it_even_by_sigkill(
    fake: FakeIstioctl, alive: Life
) -> None:
    fake.says(install=f"{alive.hold}; sleep 60")
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(fake.file)], cwd=ROOT)
    alive.await_begin()
    owner.kill()
    assert owner.wait() == -signal.SIGKILL
    assert alive.ends(within=3)


OWNER = """
import sys
from datetime import timedelta
from tasks.adapters.istioctl import find
from tasks.domain.rendering import InstallRequest
from tasks.domain.revision import Version
class Allowed:
    def check(self): pass
program = find(sys.argv[1:], version=Version.parse("1.29.1"))
wanted = InstallRequest(revision="1-29-1")
program.install(wanted, guard=Allowed(), timeout=timedelta(minutes=1))
"""


@changes
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("dial tcp 10.0.0.1:443: connect: connection refused", TransientError),
        ('the object has been modified; please apply your changes', TransientError),
        ('roles "istiod" is forbidden: user "x" cannot create resource "roles"', RefusedError),
        ("resources not ready after 45s: context deadline exceeded\n  istiod", UnhealthyError),
        ("resources not ready after 45s: connection refused", TransientError),
    ],
)  # fmt: skip
def test_a_failed_change_says_which_and_why_and_its_kind_is_what_to_do_next(
    fake: FakeIstioctl, what: str, said: str, kind: type[UpgradeError]
) -> None:
    answer = f"echo {shlex.quote(f'- Processing...Error: {said}')} >&2; exit 1"
    program = opened(fake.says(**{what: answer}))
    with pytest.raises(UpgradeError) as caught:
        CHANGES[what](program, Allowed(), MINUTE)
    assert type(caught.value) is kind
    words = " ".join(line.strip() for line in said.splitlines())
    assert str(caught.value).startswith(f"istioctl 1.29.1: {what}")
    assert str(caught.value).endswith(f"failed: {words}")


def test_a_change_that_somebody_killed_may_be_tried_again(fake: FakeIstioctl) -> None:
    program = opened(fake.says(install="kill -9 $$"))
    with pytest.raises(TransientError, match="ended from outside by signal 9"):
        program.install(REQUEST, guard=Allowed(), timeout=MINUTE)


def test_an_endless_talker_is_refused_and_does_not_fill_our_memory(fake: FakeIstioctl) -> None:
    program = opened(fake.says(manifest="head -c 70000000 /dev/zero"))
    with pytest.raises(RefusedError, match="printed more than any istioctl does"):
        program.render(REQUEST)


def test_a_dry_run_lists_what_an_uninstall_would_remove_and_needs_no_permission(
    fake: FakeIstioctl,
) -> None:
    line = "Not pruning object apps/v1, Kind=Deployment/istiod-1-28-3.mesh because of dry run."
    program = opened(fake.says(uninstall=f"echo '{line}'"))
    assert program.list_removed("1-28-3", namespace="mesh", timeout=MINUTE) == (
        Listed(kind="Deployment", name="istiod-1-28-3", namespace="mesh"),
    )


def test_a_revision_that_nothing_names_any_more_is_uninstalled_already(
    fake: FakeIstioctl,
) -> None:
    program = opened(
        fake.says(uninstall="echo 'Error: could not find target revision' >&2; exit 1")
    )
    assert program.list_removed("1-28-3", namespace="istio-system", timeout=MINUTE) == ()
    program.uninstall("1-28-3", namespace="istio-system", guard=Allowed(), timeout=MINUTE)


def test_a_dry_run_that_fails_otherwise_is_no_proof_of_anything(fake: FakeIstioctl) -> None:
    program = opened(fake.says(uninstall="echo 'Error: Unauthorized' >&2; exit 1"))
    with pytest.raises(RefusedError, match="Unauthorized"):
        program.list_removed("1-28-3", namespace="istio-system", timeout=MINUTE)
