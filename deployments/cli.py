"""
The command line with everything: what flows/cli.py has, `rehearse`, `doctor` and `gatekeeper`.

It is here, because a flow may not know where it runs.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from deployments import cli_doctor, cli_gatekeeper
from deployments import cli_rehearsal as staging
from deployments.rehearsal.faults.parsing import listing
from deployments.rehearsal.rehearsing import rehearsal
from deployments.rehearsal.rehearsing.asking import Asked
from deployments.rehearsal.scenario.finding import built_in, find
from flows import cli_options as options
from flows import cli_output as out
from flows.cli import app, main
from flows.cli_output import Format
from flows.cli_session import cluster, told
from tasks.domain import report
from tasks.domain.journal import Outcome
from tasks.settings import Settings

__all__ = ["app", "main"]

_EPILOG = f"Scenarios: {', '.join(built_in())}.\n\nFaults:\n\n{listing()}"

ScenarioName = Annotated[
    str | None,
    typer.Option("--scenario", help="A built-in scenario's name, or a file. Default: sleep."),
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", help="KIND:TARGET, then @SECONDS and %PERCENT if wanted. Repeatable."),
]
Speed = Annotated[
    float, typer.Option("--speed", min=0.1, max=1000, help="How many times as fast pods live.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Approve every gate.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the cluster up afterwards, until Ctrl-C.")
]
ServeOnly = Annotated[
    bool, typer.Option("--serve-only", help="Only the cluster, until Ctrl-C; no upgrade.")
]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The cluster's port. Default: any.")
]
GatekeeperFile = Annotated[
    Path, typer.Option("--config", help="The gatekeeper's file: clusters, channels, Slack.")
]
_GATEKEEPER_FILE = Path("gatekeeper.yaml")
InSlack = Annotated[
    bool,
    typer.Option("--slack", help="Ask at the gates in a Slack of its own, on a page here."),
]
SlackPort = Annotated[
    int | None,
    typer.Option("--slack-port", min=0, max=65535, help="That page's port. Default: any."),
]
NewKubeconfig = Annotated[
    Path | None,
    typer.Option("--kubeconfig", help="New file that leads to the cluster while it is there."),
]


@app.command(epilog=_EPILOG)
def rehearse(
    scenario: ScenarioName = None,
    fault: Faults = None,
    speed: Speed = 1.0,
    yes: Yes = False,
    slack: InSlack = False,
    slack_port: SlackPort = None,
    keep: Keep = False,
    serve_only: ServeOnly = False,
    port: Port = 0,
    kubeconfig: NewKubeconfig = None,
    output: options.Output = Format.TEXT,
) -> None:
    """
    Rehearse an upgrade on a cluster of its own, which is started here and gone afterwards.

    Ends with the upgrade's exit code. Needs no Kubernetes, no Istio and no istioctl.
    """
    with told(output), staging.translated():
        name = scenario or (None if serve_only else "sleep")
        chosen = None if name is None else find(name)
        faults = fault or []
        staging.check(chosen, faults)
        asked = Asked(scenario=chosen, faults=faults, speed=speed, port=port, kubeconfig=kubeconfig)
        if serve_only or chosen is None:
            staging.refuse(
                "--serve-only runs no upgrade",
                {
                    "--yes": yes,
                    "--keep": keep,
                    "--slack": slack,
                    "--slack-port": slack_port is not None,
                },
            )
            code = rehearsal.serve(asked, partial(staging.tell, output))
        else:
            performance = staging.performance(
                chosen,
                yes=yes,
                keep=keep,
                slack_port=staging.slack_port(slack_port, is_wanted=slack),
                output=output,
            )
            code = rehearsal.rehearse(asked, performance)
        raise typer.Exit(code)


@app.command()
def doctor(
    istioctl: options.IstioctlPaths = None,
    to: options.To = None,
    slack: Annotated[
        bool, typer.Option("--slack", help="Look at the gatekeeper's tokens and channels, too.")
    ] = False,
    config: GatekeeperFile = _GATEKEEPER_FILE,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """Look at what an upgrade needs: cluster, rights, istioctl, istiods, Prefect, key, Slack."""
    with told(output):
        access = options.access(kubeconfig, context, istio_namespace)
        settings = Settings.read()
        with cluster(access, settings) as person:
            found = cli_doctor.examined(
                settings,
                person,
                to=to,
                istioctl=istioctl or [],
                slack=config if slack else None,
            )
        if output is Format.JSON:
            out.document(found)
        else:
            out.table("Doctor", [report.examined_row(one) for one in found.checks])
        raise typer.Exit(0 if found.is_healthy else Outcome.BLOCKED.exit_code)


@app.command()
def gatekeeper(
    config: GatekeeperFile = _GATEKEEPER_FILE,
    listen: Annotated[
        str | None,
        typer.Option("--listen", help="Where /healthz and /metrics are. Default: 127.0.0.1:8080."),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            help="Hear Slack by HTTP at HOST:PORT (/slack/events) instead of Socket Mode.",
        ),
    ] = None,
    output: options.Output = Format.TEXT,
) -> None:
    """
    Let people decide in Slack: shows runs there, takes their answers, and wakes runs for them.

    Runs until it is stopped. Several may run at once, and any may be killed: none keeps anything.
    """
    with told(output):
        cli_gatekeeper.run(config, listen=listen, http=http, output=output)


if __name__ == "__main__":
    main()
