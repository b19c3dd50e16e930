"""What the gatekeeper is told in its file: which clusters, which Slack, and where its keys lie."""

from pathlib import Path
from typing import Annotated, Any, Self

import pydantic
import yaml
from pydantic import Field, StringConstraints, model_validator

from tasks.domain.errors import BadInputError
from tasks.domain.parameters import ClusterAccess, Model, Text, complaints
from tasks.domain.policy import GROUP

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
ChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{2,20}$")]
Reference = Annotated[
    str, StringConstraints(pattern=r"^(env:[A-Z][A-Z0-9_]*|file:.+|secret:[^/]+/[^/]+/[^/]+)$")
]
KeyReference = Annotated[str, StringConstraints(pattern=r"^(file:.+|secret:[^/]+/[^/]+/[^/]+)$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$", max_length=500)]


class ClusterConfig(Model):
    """One cluster that the gatekeeper looks after."""

    name: Name = Field(description="What people call it in Slack.")
    kubeconfig: Text | None = None
    context: Text | None = None
    istio_namespace: Text = "istio-system"
    channel: ChannelId = Field(description="The id of the Slack channel for its runs.")
    upgrade: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="Parameters of the upgrades that are started from Slack, as in a parameters "
        "file; `to` comes with the command.",
    )

    @property
    def access(self) -> ClusterAccess:
        """Return how it is reached from here."""
        return ClusterAccess(
            kubeconfig=self.kubeconfig, context=self.context, istio_namespace=self.istio_namespace
        )


class SlackConfig(Model):
    """How Slack is reached. Tokens are named, never written here."""

    bot_token: Reference = "env:SLACK_BOT_TOKEN"
    app_token: Reference = "env:SLACK_APP_TOKEN"
    signing_secret: Reference = "env:SLACK_SIGNING_SECRET"
    api_url: Url = "https://slack.com/api/"


class GatekeeperConfig(Model):
    """The whole file."""

    clusters: list[ClusterConfig] = Field(min_length=1)
    slack: SlackConfig = SlackConfig()
    signing_key: KeyReference | None = Field(
        default=None,
        description="The key that runs verify votes with. Empty: a file of this machine's own.",
    )
    starters: list[Text] = Field(
        default_factory=list,
        description="Who may start upgrades and rollbacks from Slack: slack:TEAM/USER or "
        "slack-group:TEAM/GROUP. Empty: nobody.",
    )
    dashboard: Url | None = Field(default=None, description="Prefect's pages, for links.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [one.name for one in self.clusters]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"there are two clusters named {name}; names tell them apart")
        for one in self.starters:
            if not one.startswith(("slack:", GROUP)):
                raise ValueError(
                    f"starter {one!r} is neither slack:TEAM/USER nor slack-group:TEAM/GROUP"
                )
        return self


def read_config(path: Path) -> GatekeeperConfig:
    """Read the gatekeeper's file. Raises BadInputError naming what is wrong, and where."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise BadInputError(
            f"{path} cannot be read: {why}; the README's chapter on Slack shows such a file"
        ) from error
    except yaml.YAMLError as error:
        raise BadInputError(f"{path} is not YAML: {str(error).splitlines()[0]}") from error
    try:
        return GatekeeperConfig.model_validate(document)
    except pydantic.ValidationError as error:
        wrong = "; ".join(complaints(error, whole="the file"))
        raise BadInputError(f"{path}: {wrong}") from error
