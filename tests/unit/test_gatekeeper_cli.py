"""`istio-canary gatekeeper`: what it is told wrongly is said before anything begins."""

from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from deployments.cli import app

WHOLE = "clusters: [{name: eu, channel: C0MESH, kubeconfig: /nowhere}]"


@pytest.mark.parametrize(
    ("flags", "prefect", "why"),
    [
        pytest.param([], None, "no Prefect API is configured", id="no Prefect"),
        pytest.param(
            [], "http://127.0.0.1:1/api", "cluster eu: there is no kubeconfig", id="no cluster"
        ),
        pytest.param(
            ["--listen", "99"], "http://127.0.0.1:1/api", "'99' is no address", id="no address"
        ),
        pytest.param(
            ["--listen", ":1", "--http", ":2"],
            "http://127.0.0.1:1/api",
            "leave --listen out",
            id="two addresses",
        ),
    ],
)
def test_a_gatekeeper_that_cannot_begin_says_why(
    tmp_path: Path, flags: list[str], prefect: str | None, why: str
) -> None:
    config = tmp_path / "gatekeeper.yaml"
    config.write_text(WHOLE)
    environment = {"COLUMNS": "300", "ISTIO_CANARY_HOME": str(tmp_path)}
    words = ["gatekeeper", "--config", str(config), *flags]
    with temporary_settings({PREFECT_API_URL: prefect}):
        ran = CliRunner().invoke(app, words, env=environment)
    assert ran.exit_code == 2
    assert why in ran.output
