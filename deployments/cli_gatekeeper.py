"""`istio-canary gatekeeper`: what it is told on the command line, and how it says that it is up."""

import asyncio
import logging
import sys
from functools import partial
from pathlib import Path

import msgspec

from deployments.gatekeeper.config import read_config
from deployments.gatekeeper.process import Asked, keep
from deployments.gatekeeper.serving import parse_address
from flows import cli_output as out
from flows.cli_output import Format
from tasks.domain.errors import BadInputError
from tasks.settings import Settings


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `gatekeeper -o json`: printed once everything is up."""

    schema: str = "istio-canary/gatekeeper/v1"
    port: int
    clusters: list[str]


def run(config: Path, *, listen: str | None, http: str | None, output: Format) -> None:
    """Keep the gates until somebody stops this process."""
    if listen is not None and http is not None:
        raise BadInputError("--http has all pages at its own address; leave --listen out")
    settings = Settings.read()
    if settings.prefect_api_url is None:
        raise BadInputError(
            "no Prefect API is configured, and votes are kept there; set PREFECT_API_URL"
        )
    _log_to_stderr()
    found = read_config(config)
    names = [one.name for one in found.clusters]
    asked = Asked(
        config=found,
        settings=settings,
        listen=parse_address(http or listen or "127.0.0.1:8080"),
        by_http=http is not None,
        said=partial(_said, names, output),
    )
    asyncio.run(keep(asked))


def _said(names: list[str], output: Format, port: int) -> None:
    if output is Format.JSON:
        out.document(Up(port=port, clusters=names))
        sys.stdout.flush()
    out.say(f"Keeping the gates of {', '.join(names)}; /healthz and /metrics are on port {port}")


def _log_to_stderr() -> None:
    """Say what happens, ours alone: other libraries' lines may hold what they were sent."""
    logger = logging.getLogger("istio-canary")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
