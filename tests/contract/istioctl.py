"""Runs istioctl, the rehearsal's executables or the real ones: the command lines are the same."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mesh.kubectl import Ran, run

OLD, NEW = "1.28.3", "1.29.1"
OLD_REVISION, NEW_REVISION = "1-28-3", "1-29-1"


@dataclass(frozen=True, kw_only=True)
class Istioctls:
    """One program a version, and the overlay that every install takes."""

    programs: Mapping[str, Path]
    overlay: Path
    kubeconfig: Path

    def run(self, *arguments: str, version: str = NEW) -> Ran:
        """Run a command that may fail; it gets no stdin."""
        return run(self._argv(version, *arguments), timeout=180)

    def well(self, *arguments: str, version: str = NEW) -> Ran:
        """Run a command that has to succeed."""
        ran = self.run(*arguments, version=version)
        assert ran.code == 0, ran
        return ran

    def install(self, version: str, revision: str = "") -> Ran:
        named = [f"--revision={revision}"] if revision else []
        tag = ("--set", f"tag={version}")
        return self.well("install", "-y", *named, "-f", str(self.overlay), *tag, version=version)

    def begin(self, *arguments: str, version: str = NEW) -> "subprocess.Popen[str]":
        """Start a command and do not wait for it."""
        argv = self._argv(version, *arguments)
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)

    def _argv(self, version: str, *arguments: str) -> list[str]:
        return [str(self.programs[version]), f"--kubeconfig={self.kubeconfig}", *arguments]
