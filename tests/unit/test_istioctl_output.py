"""Of what istioctl prints, three things are understood exactly; the rest is for people."""

import hashlib

import pytest

from tasks.adapters import istioctl_output as output
from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.removal import Listed
from tasks.domain.rendering import RenderedObject
from tasks.domain.revision import Version

# As istioctl 1.29.1 prints it; shortened.
DRY_RUN = b"""\
There are still 2 proxies pointing to the control plane revision 1-28-3
 sleep-5cb586dd5b-dbkgx.test-ns
If you proceed with the uninstall, these proxies will become detached from any control plane
Not pruning object apps/v1, Kind=Deployment/istiod-1-28-3.istio-system because of dry run.
Not pruning object /v1, Kind=Service/istiod-1-28-3.istio-system because of dry run.
Not pruning object admissionregistration.k8s.io/v1, Kind=ValidatingWebhookConfiguration/\
istio.validator-1-28-3. because of dry run.
\xe2\x9c\x94 Uninstall complete
"""
NOT_READY = (
    "failed to install manifests: failed to wait for resource: resources not ready after 15s: "
    "context deadline exceeded Deployment/istio-system/istiod-1-29-1 (container failed to start: "
    "ErrImageNeverPull)"
)
MANIFEST = b"""\
apiVersion: v1
kind: ConfigMap
metadata: {name: values-1-29-1, namespace: istio-system}
data: {merged-values: '{"a": 1}', original-values: '{}'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod-1-29-1, namespace: istio-system, labels: {a: b}}
spec: {replicas: 1}
---
# An empty document.
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio-1-29-1, namespace: istio-system}
data: {mesh: "rootNamespace: istio-system\\n"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: istiod-clusterrole-1-29-1-istio-system}
"""


@pytest.mark.parametrize("said", ["1.29.1", "1.29.1-unknown-Clean"])
def test_the_client_s_version_is_read(said: str) -> None:
    body = f'{{"clientVersion": {{"version": "{said}", "golang_version": "go1.25"}}}}'
    assert output.client_version(body.encode()) == Version.parse("1.29.1")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"1.29.1",
        b"{}",
        b'{"clientVersion": {}}',
        b'{"clientVersion": {"version": 1}}',
        b"\xff",
    ],
)
def test_what_prints_no_version_is_no_istioctl(said: bytes) -> None:
    with pytest.raises(BadInputError, match="prints no version as istioctl does"):
        output.client_version(said)


@pytest.mark.parametrize("version", ["unknown", "1.30-alpha.1", "", "x" * 10_000])
def test_a_version_that_was_not_released_is_refused_and_not_quoted_at_length(version: str) -> None:
    body = f'{{"clientVersion": {{"version": "{version}"}}}}'
    with pytest.raises(BadInputError, match="which is no released one") as caught:
        output.client_version(body.encode())
    assert len(str(caught.value)) < 100


def test_a_dry_run_lists_its_objects_cluster_wide_ones_without_a_namespace() -> None:
    assert output.listed(DRY_RUN) == (
        Listed(kind="Deployment", name="istiod-1-28-3", namespace="istio-system"),
        Listed(kind="Service", name="istiod-1-28-3", namespace="istio-system"),
        Listed(kind="ValidatingWebhookConfiguration", name="istio.validator-1-28-3"),
    )


def test_a_dry_run_that_would_remove_nothing_says_so() -> None:
    said = b"No resources will be pruned from the cluster. Please double check the input configs\n"
    assert output.listed(said) == ()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        "✔ Uninstall complete".encode(),
        b"Would delete Deployment istiod-1-28-3",
        DRY_RUN + b"Not pruning object Tag default because of dry run.\n",
        DRY_RUN.replace(b"Kind=Service/", b"Service "),
    ],
    ids=["nothing", "only an end", "other words", "one line of another form", "one without a kind"],
)
def test_a_dry_run_in_other_words_is_refused_for_it_could_hide_something(said: bytes) -> None:
    with pytest.raises(RefusedError, match="what it would delete is unknown"):
        output.listed(said)


def test_a_manifest_is_its_objects_in_order_its_digest_and_two_texts() -> None:
    found = output.rendered(MANIFEST, b"\x1b[33mWarning: old\x1b[0m\n\n", revision="1-29-1")
    rbac = "rbac.authorization.k8s.io/v1"
    space = "istio-system"
    assert found.objects == (
        RenderedObject(
            api_version="apps/v1", kind="Deployment", name="istiod-1-29-1", namespace=space
        ),
        RenderedObject(
            api_version=rbac, kind="ClusterRole", name="istiod-clusterrole-1-29-1-istio-system"
        ),
        RenderedObject(api_version="v1", kind="ConfigMap", name="istio-1-29-1", namespace=space),
        RenderedObject(api_version="v1", kind="ConfigMap", name="values-1-29-1", namespace=space),
    )
    assert found.sha256 == hashlib.sha256(MANIFEST).hexdigest()
    assert found.mesh_config == "rootNamespace: istio-system\n"
    assert found.values == '{"a": 1}'
    assert found.warnings == ("Warning: old",)


def test_the_default_revision_s_texts_have_no_suffix() -> None:
    plain = MANIFEST.replace(b"-1-29-1", b"")
    assert output.rendered(plain, b"", revision="default").values == '{"a": 1}'


def test_a_manifest_without_the_texts_has_none() -> None:
    found = output.rendered(MANIFEST, b"", revision="other")
    assert (found.mesh_config, found.values) == (None, None)
    without = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio-x}\n"
    assert output.rendered(without, b"", revision="x").mesh_config is None


@pytest.mark.parametrize(
    "manifest",
    [b"hello", b"a: [", b"kind: Pod", b"- 1", b"a: \xff", MANIFEST + b"---\n!!python/object:x {}"],
)
def test_what_is_no_manifest_is_refused(manifest: bytes) -> None:
    with pytest.raises(RefusedError, match="something else than Kubernetes objects"):
        output.rendered(manifest, b"", revision="1-29-1")


@pytest.mark.parametrize(
    ("stderr", "stdout", "words"),
    [
        (b"", b"", "it did not say why"),
        (b"  \n", b"from stdout", "from stdout"),
        (b"one\ntwo\n", b"other", "one two"),
        (b"noise\nError: the\n reason\n", b"", "the reason"),
        (b"Error: first\nError: last\n", b"", "last"),
        ("✘ Istiod: badError: bad".encode(), b"", "bad"),
        (b"\x1b[31mError: red\x1b[0m", b"", "red"),
        (b"\xff", b"", "\ufffd"),
    ],
)
def test_why_istioctl_failed_is_its_error_or_the_last_that_it_said(
    stderr: bytes, stdout: bytes, words: str
) -> None:
    assert output.words(stderr, stdout) == words


def test_a_long_reason_is_cut_to_a_paragraph() -> None:
    assert output.words(b"Error: " + b"x" * 5000) == "x" * 397 + "..."
    said = "\n".join(f"line {number} of many" for number in range(1000))
    last = output.words(said.encode())
    assert last.endswith("line 999 of many")
    assert 300 < len(last) <= 400


@pytest.mark.parametrize(
    "reason",
    [
        'Get "https://10.0.0.1/api": dial tcp 10.0.0.1:443: connect: connection refused',
        "read: connection reset by peer",
        "context deadline exceeded",
        "net/http: TLS handshake timeout",
        "unexpected EOF",
        "etcdserver: leader changed",
        "the server is currently unable to handle the request",
        "Operation cannot be fulfilled: the object has been modified",
    ],
)
def test_what_the_network_or_a_busy_api_server_does_may_pass(reason: str) -> None:
    assert output.may_pass(reason)
    assert not output.is_not_ready(reason)


@pytest.mark.parametrize(
    "reason",
    ['roles "istiod" is forbidden', 'json: unknown field "nonsense"', "Unauthorized", "GEOFENCE"],
)
def test_what_people_have_to_change_does_not_pass(reason: str) -> None:
    assert not output.may_pass(reason)


def test_an_install_that_waited_in_vain_is_told_from_one_that_lost_the_api_server() -> None:
    assert output.is_not_ready(NOT_READY)
    assert not output.is_not_ready(NOT_READY.replace("context deadline exceeded", "EOF"))
