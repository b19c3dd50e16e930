"""Whole gatekeepers in this process, each with a loop of its own, that can be stopped and killed."""

import asyncio
import selectors
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from deployments.gatekeeper.config import ClusterConfig, GatekeeperConfig, SlackConfig
from deployments.gatekeeper.looking import WatchedCluster
from deployments.gatekeeper.process import Asked, at_work
from deployments.gatekeeper.serving import Address
from tasks.settings import Settings
from tests.gatekeeper.world import World
from tests.unit.gatekeeper_scene import CHANNEL, CLUSTER

_NUMBERS: Final = count(1)
_UP: Final = 30.0
_SILENT: Final = 8.0  # pongs come every five seconds
_INTERNET: Final = {socket.AF_INET, socket.AF_INET6}


class Gatekeeper:
    """One gatekeeper, as a process would be."""

    def __init__(
        self, world: World, *, by_http: bool = False, starters: tuple[str, ...] = ()
    ) -> None:
        self._world = world
        self._by_http = by_http
        self._starters = list(starters)
        self._name = f"host/{next(_NUMBERS)}"
        self._selector = selectors.DefaultSelector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._thread = threading.Thread(target=self._run, name=self._name)
        self._up = threading.Event()
        self._leave = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.trouble: BaseException | None = None
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(_UP), "the gatekeeper is not up"
        if self.trouble is not None:
            raise self.trouble

    def stop(self) -> None:
        """End it as SIGTERM does."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._leave.set)
            self._thread.join(_UP)
            assert not self._thread.is_alive(), "the gatekeeper does not stop"

    def kill(self) -> None:
        """End it as SIGKILL does: nothing of it runs any more, and its connections are gone."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_UP)
        for key in list(self._selector.get_map().values()):
            with socket.fromfd(key.fd, socket.AF_INET, socket.SOCK_STREAM) as one:
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) in _INTERNET:
                    _hang_up(one)

    def bury(self) -> None:
        """Let the test end without loose ends, whatever the gatekeeper's end was."""
        if self._thread.is_alive():
            self.stop()
        if self._task is not None and not self._task.done():
            everything = asyncio.all_tasks(self._loop)
            for one in everything:
                one.cancel()
            ended = asyncio.gather(*everything, return_exceptions=True)
            self._loop.run_until_complete(asyncio.wait_for(ended, _UP))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    # ---- its pages

    def page(self, path: str) -> tuple[int, str]:
        """Return the status and the text of one of its pages."""
        return self.ask(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"))

    def ask(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - ours
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def counted(self, sample: str) -> float:
        """Return one sample of /metrics, by its name and labels; 0 if it is not there."""
        lines = self.page("/metrics")[1].splitlines()
        return next((float(one.rsplit(" ", 1)[1]) for one in lines if one.startswith(sample)), 0.0)

    # ---- inside

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(ThreadPoolExecutor(32, thread_name_prefix=self._name))
        self._task = self._loop.create_task(self._keep())
        self._loop.run_forever()

    async def _keep(self) -> None:
        asked = Asked(
            config=self._config(),
            settings=_settings(self._name),
            listen=Address(host="127.0.0.1", port=0),
            by_http=self._by_http,
            silent_seconds=_SILENT,
            said=self._said,
        )
        cluster = WatchedCluster(
            config=asked.config.clusters[0], services=self._world.services(self._name)
        )
        try:
            async with at_work(asked, [cluster]) as failing:
                leaving = asyncio.create_task(self._leave.wait())
                await asyncio.wait([leaving, *failing], return_when=asyncio.FIRST_COMPLETED)
                leaving.cancel()
                self.trouble = next((one.exception() for one in failing if one.done()), None)
        except Exception as error:  # noqa: BLE001 - whoever started it is told
            self.trouble = error
        finally:
            self._up.set()
        self._loop.stop()

    def _said(self, port: int) -> None:
        self.port = port
        self._up.set()

    def _config(self) -> GatekeeperConfig:
        return GatekeeperConfig(
            clusters=[ClusterConfig(name=CLUSTER, channel=CHANNEL)],
            slack=SlackConfig(
                bot_token="secret:mesh/slack/bot",
                app_token="secret:mesh/slack/app",
                signing_secret="secret:mesh/slack/signing",
                api_url=self._world.slack.api_url,
            ),
            starters=self._starters,
        )


def _hang_up(one: socket.socket) -> None:
    try:
        one.getpeername()  # a listener has no peer
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _settings(process: str) -> Settings:
    return Settings(
        home=Path("/nonexistent"),
        prefect_api_url=None,
        prefect_auth=None,
        prefect_api_key=None,
        process=process,
    )


@contextmanager
def gatekeepers(
    world: World, number: int = 1, *, by_http: bool = False, starters: tuple[str, ...] = ()
) -> Generator[list[Gatekeeper]]:
    """Have so many gatekeepers for a block; that none of them ended by itself is looked at."""
    made = [Gatekeeper(world, by_http=by_http, starters=starters) for _ in range(number)]
    try:
        for one in made:
            one.start()
        yield made
    finally:
        for one in made:
            one.bury()
    for one in made:
        assert one.trouble is None, f"a gatekeeper ended by itself: {one.trouble!r}"


@contextmanager
def gatekeeper(
    world: World, *, by_http: bool = False, starters: tuple[str, ...] = ()
) -> Generator[Gatekeeper]:
    """Have one gatekeeper for a block."""
    with gatekeepers(world, by_http=by_http, starters=starters) as (one,):
        yield one
