"""The command line: istio-canary plan, upgrade, status, approve, rollback and the others."""

from typing import Annotated, Any

import typer

from flows import cli_options as options
from flows import cli_output as out
from flows import cli_run as running
from flows.cli_decide import decide
from flows.cli_follow import Follower
from flows.cli_output import Format
from flows.cli_session import cluster, ended, told
from flows.cli_terminal import keyboard
from flows.rollback import rollback as rollback_flow
from flows.upgrade import upgrade as upgrade_flow
from tasks import auditing, preflight, wiring
from tasks.domain import documents, report, runs
from tasks.domain.approval import Answer
from tasks.domain.documents import RunReport
from tasks.domain.errors import BadInputError
from tasks.domain.journal import Attempted, Outcome
from tasks.domain.parameters import RollbackParameters, UpgradeParameters
from tasks.domain.policy import check_policy
from tasks.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Moves a live mesh from one Istio version to the next, as a durable Prefect flow "
    "whose decisions people take.\n\n"
    "Exit codes: 0 done, or nothing to do; 1 unexpected; 2 bad input; 3 blocked by a finding, "
    "nothing changed; 4 rejected, aborted or expired; 5 rolled back; 6 stopped in between, "
    "people needed; 130 interrupted, the same command goes on.",
)


def main() -> None:
    """Run the command line."""
    app(prog_name="istio-canary")


@app.command()
def plan(
    to: options.To = None,
    from_revision: options.From = None,
    revision: options.Revision = None,
    istioctl: options.IstioctlPaths = None,
    filename: options.Filenames = None,
    sets: options.Sets = None,
    wave: options.Waves = None,
    gates: options.GateNames = None,
    keep_old: options.KeepOld = None,
    override: options.Override = None,
    parameters: options.ParametersFile = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespaceFlag = None,
    output: options.Output = Format.TEXT,
) -> None:
    """Show what an upgrade would do, and what stands against it. Changes nothing."""
    with told(output):
        flags = _flags(locals())
        asked = options.read_parameters(parameters, flags, filenames=filename or [], gates=gates)
        with cluster(asked.cluster, Settings.read()):
            found = report.plan_report(preflight.draw_up(asked))
        if output is Format.JSON:
            out.document(found)
        else:
            out.table("Findings", report.findings_table(found.plan.findings))
            out.table("Plan", report.plan_table(found.plan))
            for line in report.plan_lines(found.plan):
                out.stdout().print(line, markup=False)
        out.say(f"{found.outcome}: {found.text}")
        raise typer.Exit(found.exit_code)


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    """Return the flags of `plan` and `upgrade` under the parameters' names."""
    flags = {name: given[name] for name in ("to", "from_revision", "revision", "istioctl", "sets")}
    flags |= {"keep_old": given["keep_old"], "overrides": given["override"]}
    flags["waves"] = options.waves(given["wave"])
    names = ("kubeconfig", "context", "istio_namespace")
    flags["cluster"] = {name: given[name] for name in names if given[name] is not None}
    return flags


@app.command()
def upgrade(
    to: options.To = None,
    from_revision: options.From = None,
    revision: options.Revision = None,
    istioctl: options.IstioctlPaths = None,
    filename: options.Filenames = None,
    sets: options.Sets = None,
    wave: options.Waves = None,
    gates: options.GateNames = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Approve every gate; recorded as yours.")
    ] = False,
    keep_old: options.KeepOld = None,
    override: options.Override = None,
    parameters: options.ParametersFile = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespaceFlag = None,
    output: options.Output = Format.TEXT,
) -> None:
    """
    Upgrade the mesh, or go on with an upgrade that was interrupted.

    Without --yes and without a terminal the run waits at each gate for `istio-canary approve`.
    """
    with told(output):
        flags = _flags(locals())
        asked = options.read_parameters(parameters, flags, filenames=filename or [], gates=gates)
        run = _upgrade_deployed if running.has_deployment("upgrade") else _upgrade_here
        ended(run(asked, Settings.read(), says_yes=yes), output)


def _upgrade_here(asked: UpgradeParameters, settings: Settings, *, says_yes: bool) -> RunReport:
    with cluster(asked.cluster, settings) as person:
        asked = _asked_by(person, asked, says_yes=says_yes)
        runs.to_join(wiring.services().records.runs(), asked)  # refused before a server starts
    server = wiring.local_server(settings, out.say)
    with running.own_server(settings) as own, cluster(asked.cluster, own):
        follower = _follower(own, person, says_yes=says_yes)
        result = running.run_here(lambda: upgrade_flow(asked, return_state=True), follower)
    running.leave_server(server, result)
    return result


def _follower(settings: Settings, person: str, *, says_yes: bool = False) -> Follower:
    def is_ours(attempt: Attempted) -> bool:
        return attempt.process == settings.process

    return Follower(is_ours=is_ours, person=person, says_yes=says_yes, keyboard=keyboard())


def _asked_by(person: str, asked: UpgradeParameters, *, says_yes: bool) -> UpgradeParameters:
    """Say who asks, and refuse gates that could never be decided, or not by --yes."""
    for gate in asked.gates.at:
        policy = asked.gates.policy(gate)
        check_policy(policy, requester=person)
        may = policy.may_vote(person) and policy.terminal_votes and policy.requester_may_approve
        if says_yes and (policy.quorum > 1 or not may):
            raise BadInputError(
                f"--yes approves gate {gate} as {person} alone, and its policy wants more; "
                "leave it out"
            )
    return asked.model_copy(update={"requester": person})


def _upgrade_deployed(asked: UpgradeParameters, settings: Settings, *, says_yes: bool) -> RunReport:
    with cluster(asked.cluster, settings) as person:
        asked = _asked_by(person, asked, says_yes=says_yes)
        flow_run = running.flow_run_for(asked)
        follower = Follower(
            is_ours=lambda attempt: attempt.flow_run == flow_run,
            person=person,
            says_yes=says_yes,
            keyboard=keyboard(),
        )
        try:
            return running.follow_deployment(flow_run, follower)
        except KeyboardInterrupt:
            text = f"no longer following flow run {flow_run}, which goes on by itself"
            return RunReport(
                outcome=Outcome.INTERRUPTED,
                exit_code=Outcome.INTERRUPTED.exit_code,
                text=text,
                flow_runs=(flow_run,),
            )


@app.command()
def rollback(
    run: options.Run = None,
    istioctl: options.IstioctlPaths = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """
    Undo a run: labels, workloads, default and tags as before, and the canary gone.

    At any point before the old revision's uninstall; needs no approval. Ends with exit code 5.
    """
    with told(output):
        access = options.access(kubeconfig, context, istio_namespace)
        settings = Settings.read()
        with cluster(access, settings) as person:
            running.ask_to_stop(runs.to_roll_back(wiring.services().records.runs(), run), person)
        asked = RollbackParameters(
            run=run, cluster=access, istioctl=istioctl or [], requester=person
        )
        server = wiring.local_server(settings, out.say)
        with running.own_server(settings) as own, cluster(access, own):
            follower = _follower(own, person)
            result = running.run_here(lambda: rollback_flow(asked, return_state=True), follower)
        running.leave_server(server, result)
        ended(result, output)


@app.command()
def status(
    run: options.Run = None,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Follow the run until it is over.")
    ] = False,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """Show the runs of a cluster: what state they are in, and what they wait for."""
    with told(output):
        access = options.access(kubeconfig, context, istio_namespace)
        with cluster(access, Settings.read()):
            if watch:
                _watch(run)
            found = _status(run)
        if output is Format.JSON:
            out.document(found)
            return
        out.table("Runs", [report.status_row(one) for one in found.runs])
        if not found.runs:
            out.stdout().print("no runs in this cluster")


def _status(run: str | None) -> documents.StatusReport:
    services = wiring.services()
    records = services.records.runs()
    if run is not None:
        records = [runs.chosen(records, run)]
    holding, now = services.leases.holding(), services.clock.now()
    return documents.StatusReport(
        runs=tuple(report.run_status(one, holding, now=now) for one in records)
    )


def _watch(run: str | None) -> None:
    """Tell what a run does until it is over."""
    services = wiring.services()
    chosen = runs.chosen(services.records.runs(), run)
    follower = Follower(is_ours=lambda _: True, person="", record=chosen)
    while follower.record is not None and follower.record.finished is None:
        follower.look()
        services.clock.sleep(running.TICK)


@app.command()
def approve(
    run: options.Run = None,
    reason: options.Reason = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """Approve the gate that a run waits at."""
    decide(Answer.APPROVE, run, reason, (kubeconfig, context, istio_namespace), output)


@app.command()
def reject(
    run: options.Run = None,
    reason: options.Reason = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """Reject the gate that a run waits at: the run ends there, and can be rolled back."""
    decide(Answer.REJECT, run, reason, (kubeconfig, context, istio_namespace), output)


@app.command()
def hold(
    run: options.Run = None,
    reason: options.Reason = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """Make a run wait before its next step, until `resume`."""
    decide(Answer.HOLD, run, reason, (kubeconfig, context, istio_namespace), output)


@app.command()
def resume(
    run: options.Run = None,
    reason: options.Reason = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """Let a run that is held go on."""
    decide(Answer.RESUME, run, reason, (kubeconfig, context, istio_namespace), output)


@app.command()
def abort(
    run: options.Run = None,
    reason: options.Reason = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """Stop a run after its current batch; `rollback` undoes what it did."""
    decide(Answer.ABORT, run, reason, (kubeconfig, context, istio_namespace), output)


@app.command()
def audit(
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    istio_namespace: options.IstioNamespace = "istio-system",
    output: options.Output = Format.TEXT,
) -> None:
    """Show who is where: control planes, namespaces and proxies by revision. Changes nothing."""
    with told(output):
        access = options.access(kubeconfig, context, istio_namespace)
        with cluster(access, Settings.read()):
            found = auditing.audited()
        if output is Format.JSON:
            out.document(found)
            return
        out.table("Control planes", found.control_planes)
        out.table("Namespaces", found.namespaces)
        for line in report.audit_lines(found):
            out.stdout().print(line, markup=False)
