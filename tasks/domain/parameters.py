"""
What a person asks for: one validated model for the command line, Prefect's form and the worker.

It holds contents, never paths to read: the command line reads files, the worker opens none but
istioctl.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal, Self

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tasks.domain.errors import BadInputError
from tasks.domain.policy import GateName, Person, Policy, SlackApproval, check_policy
from tasks.domain.rendering import InstallRequest, Overlay
from tasks.domain.revision import Version, checked_revision, is_dns_label

Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600)]
Text = Annotated[str, StringConstraints(max_length=500)]


class Model(BaseModel):
    """Strict and frozen: an unknown key is a mistake, not a wish."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OverlayFile(Model):
    """One IstioOperator overlay, by its contents."""

    name: Text = Field(description="The file's name, for messages.")
    content: str = Field(max_length=500_000, description="The file's YAML.")


class Timeouts(Model):
    """How long each step may take, in seconds."""

    install_seconds: Seconds = Field(default=600, description="istioctl install.")
    uninstall_seconds: Seconds = Field(default=300, description="istioctl uninstall.")
    rollout_seconds: Seconds = Field(
        default=600, description="One workload's new pods, from its restart until all are ready."
    )
    proxies_seconds: Seconds = Field(
        default=180, description="Moved proxies, until a new istiod says that each is in sync."
    )
    removal_seconds: Seconds = Field(
        default=180, description="The old revision, until nothing uses it any more."
    )


class Limits(Model):
    """How much happens at once."""

    batches_at_once: int = Field(
        default=8, ge=1, le=64, description="Batches of a wave side by side."
    )
    workloads_at_once: int = Field(
        default=10, ge=1, le=500, description="Workloads of one batch that roll at the same time."
    )
    namespaces_per_batch: int | None = Field(
        default=None,
        ge=1,
        le=500,
        description="Empty: one, or as many as keep a run under 300 batches.",
    )


class PersonModel(Model):
    """Somebody with several identities, who counts once."""

    name: Text
    identities: list[Text] = Field(min_length=1, description="kubernetes:USER or slack:TEAM/USER")


class Deciding(Model):
    """Who decides at a gate, and how."""

    approvers: list[Text] = Field(
        default_factory=list,
        description="Names from `people`, identities, or slack-group:TEAM/GROUP. "
        "Empty: whoever holds the signing key, in a terminal.",
    )
    quorum: int = Field(
        default=1, ge=1, le=50, description="How many different people have to approve."
    )
    requester_may_approve: bool = True
    terminal_votes: bool = Field(default=True, description="Whether votes from a terminal count.")
    slack_approve: SlackApproval = Field(
        default=SlackApproval.CONFIRM,
        description="Whether Approve may be pressed in Slack, after one more question or not at all.",
    )
    expiry_seconds: Annotated[float, Field(gt=0, le=30 * 24 * 3600)] = Field(
        default=24 * 3600,
        description="After this an undecided gate ends the run; it never goes on.",
    )
    remind_after_seconds: Annotated[float, Field(ge=60, le=30 * 24 * 3600)] = Field(
        default=3600,
        description="After this Slack reminds of an open gate, then after twice as long, and so on.",
    )
    approval_valid_seconds: Annotated[float, Field(ge=60, le=30 * 24 * 3600)] = Field(
        default=4 * 3600,
        description="An approval that the run has not counted by then has to be given again.",
    )


class Differing(Model):
    """What one gate decides otherwise than the others; what is empty is as with the others."""

    approvers: list[Text] | None = None
    quorum: Annotated[int, Field(ge=1, le=50)] | None = None
    requester_may_approve: bool | None = None
    terminal_votes: bool | None = None
    slack_approve: SlackApproval | None = None
    expiry_seconds: Annotated[float, Field(gt=0, le=30 * 24 * 3600)] | None = None
    remind_after_seconds: Annotated[float, Field(ge=60, le=30 * 24 * 3600)] | None = None
    approval_valid_seconds: Annotated[float, Field(ge=60, le=30 * 24 * 3600)] | None = None


class Gates(Deciding):
    """Where the run waits for people, and who decides."""

    at: list[GateName] = Field(
        default_factory=lambda: list(GateName), description="Which gates there are."
    )
    each: dict[GateName, Differing] = Field(
        default_factory=dict[GateName, Differing],
        description="What single gates decide otherwise, by the gate's name.",
    )
    people: list[PersonModel] = Field(default_factory=list[PersonModel])
    signing_key: (
        Annotated[str, StringConstraints(pattern=r"^(file:.+|secret:[^/]+/[^/]+/[^/]+)$")] | None
    ) = Field(
        default=None,
        description="file:PATH or secret:NAMESPACE/NAME/KEY. Empty: a file of this machine's own.",
    )

    def deciding(self, gate: str) -> Deciding:
        """Return who decides at a gate, by its name in a run: start, wave-2, ..."""
        name = gate.partition("-")[0]
        differing = self.each.get(GateName(name)) if name in set(GateName) else None
        if differing is None:
            return self
        changes = differing.model_dump(exclude_none=True)
        # Prefect's form sends a list that was left empty, and nobody meant "whoever can sign".
        if not changes.get("approvers"):
            changes.pop("approvers", None)
        return self.model_copy(update=changes)

    def policy(self, gate: str = "") -> Policy:
        """Return a gate's policy as the domain counts by it; without a name, that of the run."""
        found = self.deciding(gate)
        return Policy(
            approvers=tuple(found.approvers),
            quorum=found.quorum,
            requester_may_approve=found.requester_may_approve,
            terminal_votes=found.terminal_votes,
            people=tuple(
                Person(name=one.name, identities=tuple(one.identities)) for one in self.people
            ),
            slack_approve=found.slack_approve,
            remind_after_seconds=found.remind_after_seconds,
            approval_valid_seconds=found.approval_valid_seconds,
        )


class ClusterAccess(Model):
    """Which cluster, in kubeconfig's terms. Empty: in-cluster, or kubeconfig's current context."""

    kubeconfig: Text | None = None
    context: Text | None = None
    istio_namespace: Text = "istio-system"


class UpgradeParameters(Model):
    """An upgrade as asked for."""

    to: str = Field(description="The Istio version to upgrade to, for example 1.29.1.")
    from_revision: str | None = Field(
        default=None, description="The revision to replace. Needed only if several are in use."
    )
    revision: str | None = Field(
        default=None, description="The canary's revision name. Empty: derived, 1.29.1 gives 1-29-1."
    )
    cluster: ClusterAccess = ClusterAccess()
    istioctl: list[Text] = Field(
        default_factory=list,
        description="Paths of istioctl programs; each is asked its version. "
        "Empty: istioctl and istioctl-VERSION on the PATH.",
    )
    overlays: list[OverlayFile] = Field(
        default_factory=list[OverlayFile], description="IstioOperator overlays, in order."
    )
    sets: list[Text] = Field(
        default_factory=list, description="PATH=VALUE, as istioctl's --set, in order."
    )
    waves: list[list[str]] = Field(
        default_factory=list[list[str]],
        description="Namespaces of each wave, in order. What is not named goes last, in one wave.",
    )
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    gates: Gates = Gates()
    tags: list[str] | None = Field(
        default=None,
        description="Tags to move, besides default. Empty: all that point to the old revision.",
    )
    quiet_period_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=60,
        description="Between the two looks that prove that nothing uses the old revision.",
    )
    labels_afterwards: Literal["as-before", "revision"] = Field(
        default="as-before",
        description="Whether namespaces get the labels back that they had, "
        "where these mean the new revision.",
    )
    overrides: list[Text] = Field(
        default_factory=list,
        description="Blocking findings to go on in spite of, each by its name (code:subject).",
    )
    keep_old: bool = Field(
        default=False, description="Stop before the old revision is uninstalled."
    )
    requester: Text = Field(
        default="prefect", description="Who asked, for example kubernetes:alice."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            version = Version.parse(self.to)
            checked_revision(self.revision or version.revision)
            for gate in ("", *self.gates.each):
                check_policy(self.gates.policy(gate))
        except BadInputError as error:
            raise ValueError(str(error)) from error
        _check_waves(self.waves)
        _check_sets(self.sets)
        return self

    @property
    def version(self) -> Version:
        """The target version."""
        return Version.parse(self.to)

    @property
    def canary(self) -> str:
        """The canary's revision name."""
        return self.revision or self.version.revision

    @property
    def quiet_period(self) -> timedelta:
        """Between the two looks of the proof that a revision is unused."""
        return timedelta(seconds=self.quiet_period_seconds)

    def fingerprint(self) -> str:
        """
        Return a digest of what was asked for: the same command rejoins a run, another is refused.

        Who asks, and from which machine's files the cluster is reached, makes no other run of it.
        """
        asked = self.model_dump_json(exclude={"requester", "cluster", "istioctl"})
        return hashlib.sha256(asked.encode()).hexdigest()

    def install_request(self) -> InstallRequest:
        """Return what istioctl is asked to install: minimal, unless somebody names a profile."""
        sets = tuple(self.sets)
        if not self._names_profile():
            # istioctl's default profile would upgrade a bundled ingress gateway in place.
            sets = ("profile=minimal", *sets)
        return InstallRequest(
            revision=self.canary,
            namespace=self.cluster.istio_namespace,
            overlays=tuple(Overlay(name=one.name, content=one.content) for one in self.overlays),
            sets=sets,
        )

    def _names_profile(self) -> bool:
        if any(one.partition("=")[0] == "profile" for one in self.sets):
            return True
        return any(_profile_of(overlay) for overlay in self.overlays)


def _profile_of(overlay: OverlayFile) -> bool:
    try:
        documents = list(yaml.safe_load_all(overlay.content))
    except (yaml.YAMLError, ValueError) as error:  # the latter: a date or number that is none
        raise BadInputError(f"overlay {overlay.name} is not YAML: {_first_line(error)}") from error
    return any(_has_profile(one) for one in documents)


def _has_profile(document: object) -> bool:
    match document:
        case {"spec": {"profile": object()}}:
            return True
        case _:
            return False


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _check_waves(waves: Sequence[Sequence[str]]) -> None:
    seen: dict[str, int] = {}
    for number, wave in enumerate(waves, 1):
        if not wave:
            raise ValueError(f"wave {number} is empty; name at least one namespace")
        for name in wave:
            if not is_dns_label(name):
                raise ValueError(f"wave {number}: {name!r} is no name of a namespace")
            if name in seen:
                raise ValueError(
                    f"namespace {name} is in wave {seen[name]} and again in wave {number}; "
                    "name it once"
                )
            seen[name] = number


def _check_sets(sets: Sequence[str]) -> None:
    for one in sets:
        path, equals, _ = one.partition("=")
        if not equals or not path or path.startswith("-"):
            raise ValueError(f"--set takes PATH=VALUE, not {one!r}")
        if path == "revision":
            raise ValueError("--set revision=... is not taken: name the canary with --revision")


class RollbackParameters(Model):
    """A rollback as asked for."""

    run: Text | None = Field(default=None, description="Which run to undo. Empty: the newest.")
    cluster: ClusterAccess = ClusterAccess()
    istioctl: list[Text] = Field(
        default_factory=list, description="Paths of istioctl programs. Empty: as the run had them."
    )
    requester: Text = Field(default="prefect", description="Who asks, e.g. kubernetes:alice.")


def parse_json(text: str) -> UpgradeParameters:
    """Read parameters back from a plan. Raises BadInputError if they are none of ours."""
    try:
        return UpgradeParameters.model_validate_json(text)
    except pydantic.ValidationError as error:
        raise BadInputError(f"recorded parameters: {'; '.join(complaints(error))}") from error


def parse_access(document: object) -> ClusterAccess:
    """Validate which cluster is meant. Raises BadInputError naming what is wrong."""
    try:
        return ClusterAccess.model_validate(document)
    except pydantic.ValidationError as error:
        raise BadInputError("; ".join(complaints(error))) from error


def parse(document: object) -> UpgradeParameters:
    """
    Validate a document (a parameters file, a form).

    Raises BadInputError naming each field and what is wrong.
    """
    try:
        return UpgradeParameters.model_validate(document)
    except pydantic.ValidationError as error:
        raise BadInputError("; ".join(complaints(error))) from error


def complaints(error: pydantic.ValidationError, *, whole: str = "") -> list[str]:
    """Return what is wrong, each with its field; `whole` names a document that is wrong as a whole."""
    lines: list[str] = []
    for one in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in one["loc"]) or whole
        text = one["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {text}" if where else text)
    return lines
