"""
The command line with everything: what flows/cli.py has, and `rehearse`.

It is here, because a flow may not know where it runs.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from deployments.rehearsal.errors import BrokenError, WrongInputError
from deployments.rehearsal.faults.parsing import listing, parse_faults
from deployments.rehearsal.rehearsing import rehearsal
from deployments.rehearsal.rehearsing.asking import Asked, Performance, Say
from deployments.rehearsal.rehearsing.stage import Stage
from deployments.rehearsal.scenario.finding import built_in, find
from deployments.rehearsal.scenario.values import Scenario
from flows import cli_options as options
from flows import cli_output as out
from flows.cli import app, main
from flows.cli_output import Format
from flows.cli_session import told
from tasks import wiring
from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.parameters import parse
from tasks.settings import Settings

_EPILOG = f"Scenarios: {', '.join(built_in())}.\n\nFaults:\n\n{listing()}"


@app.command(epilog=_EPILOG)
def rehearse(
    scenario: Annotated[
        str | None,
        typer.Option("--scenario", help="A built-in scenario's name, or a file. Default: sleep."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help="KIND:TARGET, then @SECONDS and %PERCENT if wanted. Repeatable."),
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=1000, help="How many times as fast pods live.")
    ] = 1.0,
    yes: Annotated[bool, typer.Option("--yes", help="Approve every gate.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the cluster up afterwards, until Ctrl-C.")
    ] = False,
    serve_only: Annotated[
        bool, typer.Option("--serve-only", help="Only the cluster, until Ctrl-C; no upgrade.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The cluster's port. Default: any.")
    ] = 0,
    kubeconfig: Annotated[
        Path | None,
        typer.Option("--kubeconfig", help="New file that leads to the cluster while it is there."),
    ] = None,
    output: options.Output = Format.TEXT,
) -> None:
    """
    Rehearse an upgrade on a cluster of its own, which is started here and gone afterwards.

    Ends with the upgrade's exit code. Needs no Kubernetes, no Istio and no istioctl.
    """
    with told(output):
        with _translated():
            name = scenario or (None if serve_only else "sleep")
            chosen = None if name is None else _checked(find(name), fault or [])
            asked = Asked(
                scenario=chosen,
                faults=fault or [],
                speed=speed,
                port=port,
                kubeconfig=kubeconfig,
            )
            if serve_only or chosen is None:
                _refuse("--serve-only runs no upgrade", {"--yes": yes, "--keep": keep})
                code = rehearsal.serve(asked, partial(_tell, output))
            else:
                performed = _performance(chosen, yes=yes, keep=keep, output=output)
                code = rehearsal.rehearse(asked, performed)
        raise typer.Exit(code)


@contextmanager
def _translated() -> Generator[None]:
    """Have what went wrong told as any command tells it."""
    try:
        yield
    except WrongInputError as error:
        raise BadInputError(str(error)) from error
    except BrokenError as error:
        raise RefusedError(str(error)) from error


def _checked(scenario: Scenario, faults: list[str]) -> Scenario:
    parse_faults([*scenario.faults, *faults], scenario)
    try:
        parse(scenario.upgrade)
    except BadInputError as error:
        raise BadInputError(f"scenario {scenario.source}: upgrade: {error}") from error
    return scenario


def _refuse(why: str, flags: dict[str, bool]) -> None:
    for flag, is_given in flags.items():
        if is_given:
            raise BadInputError(f"{why}; leave {flag} out")


def _performance(scenario: Scenario, *, yes: bool, keep: bool, output: Format) -> Performance:
    if not yes and not sys.stdin.isatty():
        raise BadInputError(
            "the gates are asked in the terminal, and there is none; give --yes to approve them all"
        )
    settings = Settings.read()
    settings = settings.model_copy(update={"home": settings.home / "rehearsal"})
    return Performance(
        scenario=scenario,
        home=settings.home,
        prefect=partial(_prefect_server, settings),
        says_yes=yes,
        is_json=output is Format.JSON,
        stays=keep,
    )


@contextmanager
def _prefect_server(settings: Settings, say: Say) -> Generator[str]:
    """Keep a Prefect server up for a block; its data stay, since a new database takes long."""
    server = wiring.local_server(settings, say)
    try:
        with server.used() as url:
            yield url
    finally:
        server.stop_if_unused()


def _tell(output: Format, stage: Stage) -> None:
    """Say how to reach the cluster."""
    if output is Format.JSON:
        out.document(
            Served(
                url=stage.url,
                kubeconfig=str(stage.kubeconfig),
                istioctl={version: str(path) for version, path in stage.istioctls.items()},
            )
        )
        return
    console = out.stdout()
    console.print(f"export KUBECONFIG={stage.kubeconfig}", markup=False)
    for path in stage.istioctls.values():
        console.print(f"# an istioctl for it: {path}", markup=False)
    out.say("The cluster is there until Ctrl-C")


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `--serve-only -o json`: printed once the cluster can be used."""

    schema: str = "istio-canary/rehearsal-cluster/v1"
    url: str
    kubeconfig: str
    istioctl: dict[str, str]


if __name__ == "__main__":
    main()
