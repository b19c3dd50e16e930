"""
`python -m deployments.rehearsal.host --kubeconfig FILE [--port N] ...`: a cluster until stdin ends.

It is started by a rehearsal, which holds the other end of stdin: so it ends even when that is
killed. Ctrl-C is the rehearsal's business.
"""

import argparse
import asyncio
import errno
import gc
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.controllers.assembly import Controllers
from deployments.rehearsal.cluster.controllers.nodes import add_nodes
from deployments.rehearsal.cluster.objects import WALL
from deployments.rehearsal.cluster.serving import serve
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.faults.api import Weather
from deployments.rehearsal.faults.deeds import do_deeds
from deployments.rehearsal.faults.parsing import new_revision, parse_faults
from deployments.rehearsal.faults.troubles import Troubles
from deployments.rehearsal.host.counting import Count
from deployments.rehearsal.host.loading import load
from deployments.rehearsal.host.telling import LOAD, Word, tell
from deployments.rehearsal.istio.mesh import Mesh
from deployments.rehearsal.scenario.finding import find
from deployments.rehearsal.scenario.values import NODES, Scenario

_TAKEN: Final = (errno.EADDRINUSE, errno.EACCES)
_AT_FIRST: Final = 100.0  # how fast pods live until the scenario is there
# How old a scenario's cluster looks. An istiod that has just started proves nothing to the upgrade.
_AGE: Final = 3600.0
_TELL_EVERY: Final = 0.25
_NODES: Final = tuple(f"rehearsal-{number}" for number in range(1, NODES + 1))


class Host:
    """A cluster with its controllers and its mesh."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._scenario: Scenario | None = find(options.scenario) if options.scenario else None
        self._speed: float = options.speed
        self._kubeconfig: Path = options.kubeconfig
        self._port: int = options.port
        self._troubles = _troubles(self._scenario, options.fault)
        self._seed = seed = self._scenario.seed if self._scenario else 0
        if self._scenario is not None:
            WALL.behind = _AGE
        self._server = Server(clock=Clock(_AT_FIRST), seed=seed)
        self._count = Count()

    async def run(self) -> None:
        """Serve until stdin ends."""
        server = self._server
        server.store.listen(self._count.hear)
        mesh = Mesh(server, mood=self._troubles, seed=self._seed)
        mesh.start()
        async with serve(
            server, port=self._port, kubeconfig=self._kubeconfig, around=self._weather
        ) as serving:
            controllers = Controllers(
                server, seed=self._seed, fates=self._troubles, ca=serving.authority.decode()
            )
            controllers.start()
            try:
                await add_nodes(server, _NODES)
                tell(Word.READY, {"url": serving.url})
                await self._obey(controllers)
            finally:
                await controllers.stop()
                mesh.stop()

    async def _obey(self, controllers: Controllers) -> None:
        words = await _stdin()
        tasks = [
            asyncio.create_task(self._tell_counts()),
            asyncio.create_task(do_deeds(self._server, self._troubles)),
        ]
        try:
            while word := (await words.readline()).decode().strip():
                if word == LOAD:
                    await self._load(controllers)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _weather(self, application: ASGIApp) -> ASGIApp:
        return Weather(application, self._troubles.active, seed=self._seed)

    async def _load(self, controllers: Controllers) -> None:
        if self._scenario is not None:
            await load(self._server, controllers, self._scenario)
        self._server.clock.speed = self._speed
        WALL.behind = 0.0
        gc.freeze()
        self._troubles.begin()
        tell(Word.COUNTS, self._count.changed())
        tell(Word.LOADED, {})

    async def _tell_counts(self) -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY)
            if changed := self._count.changed():
                tell(Word.COUNTS, changed)


def _troubles(scenario: Scenario | None, faults: Sequence[str]) -> Troubles:
    if scenario is None:
        return Troubles((), late={}, new="")
    late = {one.name: one.proxies_late_seconds for one in scenario.namespaces}
    found = parse_faults([*scenario.faults, *faults], scenario)
    return Troubles(found, late=late, new=new_revision(scenario))


async def _stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rehearsal-host", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scenario")
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--speed", type=float, default=1.0)
    return parser.parse_args()


def main() -> int:
    """Run a host, and say in one line why it could not be."""
    options = _options()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Thousands of pods are millions of objects, and looking through all of them stops everything.
    gc.set_threshold(100_000, 50, 1_000)
    try:
        asyncio.run(Host(options).run())
    except WrongInputError as error:
        tell(Word.PROBLEM, {"text": str(error), "is_input": True})
        return 2
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        tell(Word.PROBLEM, {"text": _port_problem(options.port, error), "is_input": True})
        return 2
    return 0


def _port_problem(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port {port} is in use; choose another, or leave it out for any that is free"
    return f"--port {port} cannot be had: {error.strerror}; choose one above 1023"


if __name__ == "__main__":
    sys.exit(main())
