"""
`python -m tests.contract.rehearsed KUBECONFIG`: the rehearsal cluster, until stdin ends.

With `--may-lack` it can be told by `PUT /lacking` to do without parts of itself (see lacking.py):
so a row of the contract is shown to fail where the behaviour that it is about is missing.
"""

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.controllers.assembly import Controllers
from deployments.rehearsal.cluster.controllers.nodes import add_nodes
from deployments.rehearsal.cluster.serving import serve
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.istio.mesh import Mesh
from tests.contract.lacking import Lacking

_SPEED: Final = 100.0
READY: Final = "ready\n"


async def _run(kubeconfig: Path, lacking: Lacking) -> None:
    server = Server(clock=Clock(_SPEED), seed=1)
    server.admission = lacking.admission(server)
    mesh = Mesh(server, seed=1, mood=lacking.mood)
    mesh.start()
    async with serve(server, kubeconfig=kubeconfig, around=lacking.around) as serving:
        controllers = Controllers(
            server, seed=1, ca=serving.authority.decode(), around=lacking.controller
        )
        controllers.start()
        await add_nodes(server)
        sys.stdout.write(READY)
        sys.stdout.flush()
        await _end_of_stdin()
        await controllers.stop()
        mesh.stop()


async def _end_of_stdin() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


def main() -> None:
    """Run a cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("--may-lack", action="store_true")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(options.kubeconfig, Lacking(is_possible=options.may_lack)))


if __name__ == "__main__":
    main()
