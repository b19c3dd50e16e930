"""
Runs kubectl and istioctl, the tools that an operator would check us with.

Nothing of the product is imported here: what the tests believe, they have from these two programs.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class CommandFailedError(AssertionError):
    """A command of the test itself failed; says which, and what it wrote."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command left behind. Its stdout is never mixed with its stderr."""

    code: int
    out: str
    err: str


def run(
    argv: Sequence[str],
    *,
    stdin: str = "",
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
) -> Ran:
    """Run a command to its end, without a shell, whatever its exit code is."""
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=env, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailedError(f"{' '.join(argv)}: no end after {timeout:.0f} s") from error
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def run_well(argv: Sequence[str], *, stdin: str = "", timeout: float = 120) -> str:
    """Run a command that has to succeed and return its stdout."""
    ran = run(argv, stdin=stdin, timeout=timeout)
    if ran.code != 0:
        raise CommandFailedError(f"{' '.join(argv)}: exit {ran.code}\n{ran.err}{ran.out}")
    return ran.out


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl for one kubeconfig."""

    kubeconfig: Path = field(default_factory=lambda: Path(os.environ["KUBECONFIG"]))

    def __call__(self, *arguments: str, stdin: str = "", timeout: float = 120) -> str:
        return run_well(self.argv(*arguments), stdin=stdin, timeout=timeout)

    def argv(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        return ["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]

    def attempt(self, *arguments: str, stdin: str = "", timeout: float = 60) -> Ran:
        """Run a command that may well fail."""
        return run(self.argv(*arguments), stdin=stdin, timeout=timeout)

    def get(self, kind: str, name: str, *, namespace: str = "default") -> Json:
        """Return one object that has to be there."""
        found: Json = json.loads(self("get", kind, name, "-n", namespace, "-o", "json"))
        return found

    def items(self, kind: str, *, namespace: str | None = None, selector: str = "") -> list[Json]:
        """Return all objects of one or several kinds, of all namespaces unless one is named."""
        where = ["-A"] if namespace is None else ["-n", namespace]
        which = ["-l", selector] if selector else []
        found: list[Json] = json.loads(self("get", kind, *where, *which, "-o", "json"))["items"]
        return found

    def apply(self, *objects: Json) -> None:
        """Apply objects, in order."""
        everything = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self("apply", "-f", "-", stdin=json.dumps(everything))

    def within(self, namespace: str, pod: str, *command: str, container: str = "") -> Ran:
        """Run a command in a pod (or in `deploy/NAME`)."""
        chosen = ["-c", container] if container else []
        return self.attempt("exec", "-n", namespace, pod, *chosen, "--", *command)


@dataclass(frozen=True, kw_only=True)
class Istioctl:
    """One version's istioctl and the overlay that every install here takes."""

    version: str
    path: Path
    overlay: Path
    kubectl: Kubectl

    def __call__(self, *arguments: str, timeout: float = 180) -> str:
        return run_well(
            [str(self.path), f"--kubeconfig={self.kubectl.kubeconfig}", *arguments], timeout=timeout
        )

    def install(self, revision: str = "") -> None:
        """Install this version, under a revision or under none."""
        named = [f"--revision={revision}"] if revision else []
        self("install", "-y", *named, "-f", str(self.overlay), "--set", f"tag={self.version}")
