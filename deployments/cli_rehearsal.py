"""What a rehearsal needs of the product, which it knows only as a command: settings, Prefect, words."""

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec

from deployments.rehearsal.errors import BrokenError, WrongInputError
from deployments.rehearsal.faults.parsing import parse_faults
from deployments.rehearsal.rehearsing.asking import Performance, Say
from deployments.rehearsal.rehearsing.stage import Stage
from deployments.rehearsal.scenario.values import Scenario
from flows import cli_output as out
from flows.cli_output import Format
from tasks import wiring
from tasks.domain.errors import BadInputError, UpgradeError
from tasks.domain.parameters import parse
from tasks.settings import Settings


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `--serve-only -o json`: printed once the cluster can be used."""

    schema: str = "istio-canary/rehearsal-cluster/v1"
    url: str
    kubeconfig: str
    istioctl: dict[str, str]


@contextmanager
def translated() -> Generator[None]:
    """Have what goes wrong in a rehearsal told as every command tells it."""
    try:
        yield
    except WrongInputError as error:
        raise BadInputError(str(error)) from error
    except BrokenError as error:
        raise UpgradeError(str(error)) from error


def check(scenario: Scenario | None, faults: Sequence[str]) -> None:
    """Refuse what cannot be rehearsed, before anything is started."""
    if scenario is None:
        if faults:
            raise BadInputError("--fault befalls a scenario's objects; give --scenario, too")
        return
    _check_faults(scenario)
    parse_faults([*scenario.faults, *faults], scenario)
    try:
        parse(scenario.upgrade)
    except BadInputError as error:
        raise BadInputError(f"{scenario.source}: upgrade: {error}") from error


def _check_faults(scenario: Scenario) -> None:
    """Name file and line of a fault that makes no sense."""
    for fault, where in zip(scenario.faults, scenario.fault_places, strict=True):
        try:
            parse_faults([fault], scenario)
        except WrongInputError as error:
            raise BadInputError(f"{where}: {str(error).removeprefix('--fault ')}") from error


def refuse(why: str, flags: Mapping[str, bool]) -> None:
    """Refuse flags that mean nothing here."""
    for flag, is_given in flags.items():
        if is_given:
            raise BadInputError(f"{why}; leave {flag} out")


def slack_port(given: int | None, *, is_wanted: bool) -> int | None:
    """Return the port of the Slack, 0 for any; None without one."""
    if not is_wanted and given is not None:
        raise BadInputError("--slack-port is the port of --slack's page; give --slack, too")
    return (given or 0) if is_wanted else None


def performance(
    scenario: Scenario, *, yes: bool, keep: bool, slack_port: int | None, output: Format
) -> Performance:
    """Return the upgrade to rehearse, with a place of its own for what the product keeps."""
    if yes and slack_port is not None:
        raise BadInputError("--slack lets people decide on its page; leave --yes out")
    if not yes and slack_port is None and not sys.stdin.isatty():
        raise BadInputError(
            "the gates are asked in the terminal, and there is none; give --yes to approve them "
            "all, or --slack to be asked on a page"
        )
    settings = Settings.read()
    settings = settings.model_copy(update={"home": settings.home / "rehearsal"})
    return Performance(
        scenario=scenario,
        home=settings.home,
        prefect=partial(_prefect, settings),
        says_yes=yes,
        is_json=output is Format.JSON,
        stays=keep,
        slack_port=slack_port,
    )


@contextmanager
def _prefect(settings: Settings, say: Say) -> Generator[str]:
    """Keep a Prefect server up for a block; its data stay, since a new database takes long."""
    server = wiring.local_server(settings, say)
    try:
        with server.used() as url:
            yield url
    finally:
        server.stop_if_unused()


def tell(output: Format, stage: Stage) -> None:
    """Say how to reach a cluster."""
    istioctls = {version: str(path) for version, path in stage.istioctls.items()}
    if output is Format.JSON:
        kubeconfig = str(stage.kubeconfig)
        out.document(Served(url=stage.url, kubeconfig=kubeconfig, istioctl=istioctls))
        return
    console = out.stdout()
    console.print(f"export KUBECONFIG={stage.kubeconfig}", markup=False)
    for path in istioctls.values():
        console.print(f"# an istioctl for it: {path}", markup=False)
    out.say("The cluster is there until Ctrl-C")
