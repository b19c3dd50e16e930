"""Bad input is told in a sentence, and changes nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mesh import judge, manifests, rights
from tests.mesh.cluster import NEW_REVISION, OLD, OLD_REVISION, Mesh
from tests.mesh.kubectl import Kubectl
from tests.mesh.product import BAD_INPUT, BLOCKED, INTERRUPTED, Ended, Product

pytestmark = pytest.mark.mesh


def everything(kubectl: Kubectl) -> dict[str, str]:
    """Return the versions of all that an upgrade could have changed."""
    names = [judge.name_of(one) for one in kubectl.items("namespaces")]
    hooks = {name: str(found) for name, found in judge.webhooks(kubectl).items()}
    return judge.versions(kubectl, names) | hooks


def assert_told(ended: Ended, words: Sequence[str]) -> None:
    """A sentence says what was wrong; nobody sees a traceback."""
    said = ended.err + ended.out
    assert "Traceback" not in said, ended
    assert ended.err.strip(), ended
    for word in words:
        assert word in said, f"{word!r} is not told: {ended}"


def upgrade(product: Product, **changed: Sequence[str]) -> Ended:
    """Run `upgrade` with some flags replaced (by name, `_` for `-`); an empty one is left out."""
    mesh = product.mesh
    flags: dict[str, Sequence[str]] = {
        "kubeconfig": [str(mesh.kubectl.kubeconfig)],
        "to": ["1.29.1"],
        "istioctl": [str(mesh.old.path), str(mesh.new.path)],
        "filename": [str(mesh.new.overlay)],
        "set": ["tag=1.29.1"],
        "parameters": [str(product.parameters())],
        **changed,
    }
    argv = [
        word for name, values in flags.items() for value in values for word in (f"--{name}", value)
    ]
    return product.run("upgrade", *argv, "--yes", "-o", "json", seconds=120)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"to": ["latest"]}, ["latest"], id="no version"),
        pytest.param({"to": ["1.29.77"]}, ["1.29.77"], id="a version that no istioctl here has"),
        pytest.param({"to": ["1.31.0"]}, ["1.31.0"], id="a skip of three minors"),
        pytest.param({"revision": ["1.29.1"]}, ["1.29.1"], id="a revision that is no DNS label"),
        pytest.param({"wave": [""]}, ["wave"], id="an empty wave"),
        pytest.param({"wave": ["shop", "shop"]}, ["shop"], id="overlapping waves"),
        pytest.param({"wave": ["nowhere"]}, ["nowhere"], id="a namespace that does not exist"),
        pytest.param(
            {"istioctl": ["/nowhere/istioctl"]}, ["/nowhere/istioctl"], id="no istioctl there"
        ),
        pytest.param({"istioctl": ["/bin/true"]}, ["/bin/true"], id="something else than istioctl"),
        pytest.param({"set": ["tag"]}, ["tag"], id="a --set without a value"),
        pytest.param(
            {"kubeconfig": ["/nowhere/config"]}, ["/nowhere/config"], id="no kubeconfig there"
        ),
        pytest.param(
            {"parameters": ["/nowhere/file"]}, ["/nowhere/file"], id="no parameters file there"
        ),
    ],
)
def test_bad_flags_are_told_and_change_nothing(
    kubectl: Kubectl, product: Product, changed: dict[str, Sequence[str]], words: Sequence[str]
) -> None:
    before = everything(kubectl)

    ended = upgrade(product, **changed)

    assert ended.code == BAD_INPUT, ended
    assert_told(ended, words)
    assert everything(kubectl) == before


def test_a_downgrade_is_refused(mesh: Mesh, product: Product) -> None:
    before = everything(mesh.kubectl)

    ended = upgrade(product, to=["1.27.9"])

    assert ended.code == BAD_INPUT, ended
    assert_told(ended, ["1.27.9"])
    assert everything(mesh.kubectl) == before


def test_an_overlay_that_istioctl_refuses_is_told_in_its_words(
    kubectl: Kubectl, product: Product, tmp_path: Path
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {profle: minimal}\n"
    )
    before = everything(kubectl)

    ended = upgrade(product, filename=[str(overlay)])

    assert ended.code == BAD_INPUT, ended
    assert_told(ended, ["profle"])
    assert everything(kubectl) == before


def test_a_revision_that_somebody_else_made_is_not_taken(mesh: Mesh, product: Product) -> None:
    mesh.new.install(NEW_REVISION)
    before = everything(mesh.kubectl)

    ended = upgrade(product)

    assert ended.code in {BAD_INPUT, BLOCKED}, ended
    assert_told(ended, [NEW_REVISION])
    assert everything(mesh.kubectl) == before


def test_several_old_revisions_need_from(mesh: Mesh, product: Product) -> None:
    kubectl = mesh.kubectl
    mesh.old.install("other")
    for name, revision in (("shop", OLD_REVISION), ("bank", "other")):
        kubectl.apply(
            manifests.namespace(name, {"istio.io/rev": revision}),
            manifests.workload("Deployment", "web", namespace=name),
        )
        judge.wait_until_on(kubectl, revision, name, count=1)
    before = everything(kubectl)

    ended = upgrade(product)

    assert ended.code == BAD_INPUT, ended
    assert_told(ended, ["--from", OLD_REVISION, "other"])
    assert everything(kubectl) == before


def test_an_unreachable_api_server_is_told(mesh: Mesh, product: Product, tmp_path: Path) -> None:
    view = mesh.kubectl("config", "view", "--raw", "--minify", "-o", "json")
    server = mesh.kubectl(
        "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"
    )
    file = tmp_path / "unreachable"
    file.write_text(view.replace(server, "https://127.0.0.1:1"))
    file.chmod(0o600)

    ended = upgrade(product, kubeconfig=[str(file)])

    assert ended.code == BAD_INPUT, ended
    assert_told(ended, ["127.0.0.1"])


def test_a_person_who_may_only_look_is_stopped_before_anything_changes(
    kubectl: Kubectl, product: Product, tmp_path: Path
) -> None:
    theirs = rights.kubeconfig(kubectl, tmp_path / "somebody", rights.reading())
    before = everything(kubectl)

    ended = upgrade(product, kubeconfig=[str(theirs.kubeconfig)])

    assert ended.code in {BAD_INPUT, BLOCKED}, ended
    assert_told(ended, [])
    assert everything(kubectl) == before


def test_ctrl_c_at_the_first_gate_changes_nothing(kubectl: Kubectl, product: Product) -> None:
    kubectl.apply(manifests.enabled("shop"))
    before = everything(kubectl)
    running = product.start_upgrade("--gates", "start")
    product.waiting_at("start", running)

    running.interrupt()

    running.wait(60).exited(INTERRUPTED)
    assert everything(kubectl) == before


def test_the_version_that_is_there_is_nothing_to_do(kubectl: Kubectl, product: Product) -> None:
    before = everything(kubectl)

    ended = upgrade(product, to=[OLD], set=["tag=1.28.3"])

    assert ended.code == 0, ended
    assert everything(kubectl) == before
