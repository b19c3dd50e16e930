"""
What every test on the real mesh starts from: a cluster, one old revision, the product as a command.

Without a cluster these tests are skipped, and say what is missing.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mesh import cluster, scheduler
from tests.mesh.cluster import OLD_REVISION, Mesh
from tests.mesh.kubectl import Kubectl
from tests.mesh.product import Product, command
from tests.mesh.scheduler import Scheduler


@pytest.fixture(scope="session")
def any_mesh() -> Mesh:
    """Return the cluster, in whatever state it is."""
    if missing := cluster.missing_from_environment():
        pytest.skip(f"no real mesh: {', '.join(missing)} not set")
    found = cluster.from_environment()
    if found is None or found.kubectl.attempt("get", "--raw", "/readyz").code != 0:
        pytest.skip("no real mesh: the API server of KUBECONFIG does not answer")
    return found


@pytest.fixture
def mesh(any_mesh: Mesh, request: pytest.FixtureRequest) -> Mesh:
    """Return a mesh with 1.28.3 as its only revision, unrevisioned if a test asks for `default`."""
    return cluster.started(any_mesh, getattr(request, "param", OLD_REVISION))


@pytest.fixture
def kubectl(mesh: Mesh) -> Kubectl:
    return mesh.kubectl


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the product keeps its Prefect server: for all tests, since a new one is slow."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def _server_ends(any_mesh: Mesh, home: Path) -> Iterator[None]:
    if not command().exists():
        pytest.skip(f"no product: {command()} does not exist; `make install` makes it")
    yield
    Product(mesh=any_mesh, home=home, files=home).stop_server()


@pytest.fixture
def product(mesh: Mesh, home: Path, tmp_path: Path, _server_ends: None) -> Iterator[Product]:
    """Return the product, and kill what a test leaves running."""
    product = Product(mesh=mesh, home=home, files=tmp_path)
    yield product
    product.kill_everything()


@pytest.fixture(scope="session")
def _scheduler(
    any_mesh: Mesh, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scheduler]:
    if not (scheduler.ROOT / scheduler.DEPLOYMENTS).exists():
        pytest.skip(f"no deployments: {scheduler.DEPLOYMENTS} does not exist")
    own = tmp_path_factory.mktemp("prefect")
    with scheduler.server(own) as api:
        found = Scheduler(api=api, home=own, product_home=home)
        found.deploy()
        yield found
        found.end_workers()


@pytest.fixture
def prefect(_scheduler: Scheduler) -> Iterator[Scheduler]:
    """Return a Prefect server with our deployments and no worker yet."""
    yield _scheduler
    _scheduler.end_workers()


@pytest.fixture
def scheduled(product: Product, prefect: Scheduler) -> Product:
    """Return the product that finds that server: `upgrade` starts the deployment, and follows."""
    return replace(product, environment=dict(prefect.environment))
