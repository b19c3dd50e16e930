"""Installs the Istio that a scenario begins with, the way that people do: with its own istioctl."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deployments.rehearsal.errors import BrokenError
from deployments.rehearsal.scenario.values import Istio

_WITHIN: Final = 120.0


def install(istio: Istio, istioctls: Mapping[str, Path], kubeconfig: Path) -> None:
    """Install a revision, make it the default, and give it its tags. Raises BrokenError."""
    revision = ["--revision", istio.revision] if istio.revision else []
    settings = ["--set", "profile=minimal"]
    run = _Istioctl(istioctls[istio.version], kubeconfig)
    run("install", "-y", *settings, *revision)
    for tag in istio.tags:
        run("tag", "set", tag, "--revision", istio.revision or "default")


class _Istioctl:
    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self._program = program
        self._kubeconfig = kubeconfig

    def __call__(self, *words: str) -> None:
        try:
            done = subprocess.run(
                [self._program, *words, "--kubeconfig", self._kubeconfig],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_WITHIN,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BrokenError(f"istioctl {words[0]} took over {_WITHIN:g} seconds") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            last = said[-1] if said else f"exit code {done.returncode}"
            raise BrokenError(f"istioctl {' '.join(words[:2])} did not work: {last}")
