"""What every command is given: its version, where it writes, whom it asks, which cluster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TextIO

from deployments.rehearsal.istioctl.descriptions import USUAL_NAMESPACE, Description
from deployments.rehearsal.istioctl.options import Flag, Options
from deployments.rehearsal.istioctl.ports import Cluster

MANAGER: Final = "istio-operator"
TAG_MANAGER: Final = "istio-ci"  # so it calls itself when it sets tags

# Understood before and after any command.
SHARED_FLAGS: Final = (
    Flag(name="kubeconfig", short="c"),
    Flag(name="context"),
    Flag(name="istioNamespace", short="i"),
    Flag(name="namespace", short="n"),
    Flag(name="kubeclient-timeout"),
    Flag(name="vklog"),
    Flag(name="log_output_level"),
)


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """Where a program is spoken to, and answers."""

    out: TextIO
    err: TextIO
    asked: TextIO
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def say(self, line: str = "") -> None:
        self.out.write(f"{line}\n")
        self.out.flush()

    def progress(self, line: str) -> None:
        """Tell how far it is: on stderr, and each time on a new line, as the real one does."""
        self.err.write(f"\n{line}")
        self.err.flush()

    def complain(self, line: str) -> None:
        self.err.write(f"{line}\n")
        self.err.flush()

    def confirms(self, question: str) -> bool:
        """Ask until somebody says yes or no; an end of the input is a no."""
        while True:
            self.out.write(f"{question} ")
            self.out.flush()
            answer = self.asked.readline()
            if not answer.strip():
                return False
            if answer.strip().upper() in {"Y", "YES"}:
                return True
            if answer.strip().upper() in {"N", "NO"}:
                return False


@dataclass(frozen=True, kw_only=True)
class Context:
    """One invocation."""

    version: str
    options: Options
    terminal: Terminal
    connect: "Callable[[Context], Cluster]"

    @property
    def istio_namespace(self) -> str:
        return self.options.text("istioNamespace", USUAL_NAMESPACE)

    @property
    def namespace(self) -> str:
        """The namespace that was named, if one was."""
        return self.options.text("namespace")

    @cached_property
    def description(self) -> Description:
        return Description.of(self.version)

    @cached_property
    def api(self) -> Cluster:
        """The cluster. Raises CommandError where no kubeconfig leads to one."""
        return self.connect(self)


def connected(context: Context) -> Cluster:
    """Return the cluster of the kubeconfig that the command line or the environment names."""
    # Commands that ask no cluster should not have to load what speaks TLS.
    from deployments.rehearsal.istioctl import kubeconfig  # noqa: PLC0415
    from deployments.rehearsal.istioctl.api import Api  # noqa: PLC0415

    access = kubeconfig.access(
        context.terminal.environment,
        path=context.options.text("kubeconfig"),
        context=context.options.text("context"),
    )
    return Api(access, user_agent=f"istioctl/{context.version}")
