"""
istioctl as a program: rendering, installing, uninstalling, tags.

No shell, an environment of its own, and every run on a leash (leash.py), so that no istioctl works
on after its run has lost the cluster's Lease. What it prints is read in istioctl_output.py.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from tasks.adapters import istioctl_output as output
from tasks.adapters import leash
from tasks.adapters.ports import Guard
from tasks.domain.errors import (
    BadInputError,
    RefusedError,
    TransientError,
    UnhealthyError,
    UpgradeError,
)
from tasks.domain.removal import Listed
from tasks.domain.rendering import InstallRequest, Rendered
from tasks.domain.revision import Version, is_dns_label

_USUAL_NAMESPACE: Final = "istio-system"
_QUESTION: Final = timedelta(seconds=30)  # a cold start of so large a program takes seconds
_RENDERING: Final = timedelta(minutes=2)
# What istioctl needs to find the cluster and its proxies, the credential plugins of a kubeconfig
# their clouds, and Python its libraries. Never our own secrets.
_VARIABLES: Final = frozenset({
    "PATH", "HOME", "TMPDIR", "USER", "LANG", "LD_LIBRARY_PATH", "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "USE_GKE_GCLOUD_AUTH_PLUGIN",
})  # fmt: skip
_KILLED: Final = 128  # plus the number of the signal; istioctl's own codes are all smaller
_ADVICE: Final = "name an istioctl with --istioctl PATH"
_CLOUDS: Final = ("AWS_", "AZURE_", "AAD_", "CLOUDSDK_", "GOOGLE_")


class IstioctlProgram:
    """An `Istioctl` on this machine, for one cluster. Keeps no state: threads may share it."""

    def __init__(
        self,
        path: Path,
        *,
        version: Version,
        environment: Mapping[str, str],
        cluster: Sequence[str] = (),
        istio_namespace: str = _USUAL_NAMESPACE,
    ) -> None:
        self._path = path
        self._version = version
        self._environment = environment
        self._cluster = tuple(cluster)  # flags that name it
        self._istio_namespace = istio_namespace

    @classmethod
    def open(
        cls,
        path: str,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        istio_namespace: str = _USUAL_NAMESPACE,
        environment: Mapping[str, str] = os.environ,
    ) -> Self:
        """Ask a program which istioctl it is. Raises BadInputError when it is none."""
        absolute = _program(path, environment)
        kept = {name: value for name, value in environment.items() if _is_needed(name)}
        if kubeconfig is not None:
            kept["KUBECONFIG"] = os.pathsep.join(
                str(Path(one).expanduser()) for one in kubeconfig.split(os.pathsep)
            )
        return cls(
            absolute,
            version=_version_of(absolute, kept),
            environment=kept,
            cluster=_cluster_flags(kept["KUBECONFIG"] if kubeconfig is not None else None, context),
            istio_namespace=_checked(istio_namespace, "namespace"),
        )

    @property
    def path(self) -> Path:
        """Where the program is."""
        return self._path

    @property
    def release(self) -> Version:
        """Its version, as a value."""
        return self._version

    @property
    def version(self) -> str:
        return str(self._version)

    def render(self, request: InstallRequest) -> Rendered:
        with _flags(request) as (flags, names):
            done = self._run(["manifest", "generate", *flags], timeout=_RENDERING)
        if done.code != 0:
            why = _renamed(output.words(done.stderr, done.stdout), names)
            raise BadInputError(f"istioctl {self.version} refuses what is to be installed: {why}")
        return output.rendered(done.stdout, done.stderr, revision=request.revision)

    def install(self, request: InstallRequest, *, guard: Guard, timeout: timedelta) -> None:
        """Install. Raises UnhealthyError when that waited for the canary in vain."""
        # A little less than all of it, so that istioctl itself can say what was not ready.
        patience = max(timeout - timedelta(seconds=15), timeout / 2)
        waiting = f"--readiness-timeout={patience.total_seconds():.0f}s"
        with _flags(request) as (flags, names):
            done = self._run(
                ["install", "-y", waiting, *flags, *self._cluster],
                timeout=timeout,
                check=guard.check,
            )
        self._expect_success(done, f"install of revision {request.revision}", names)

    def list_removed(
        self, revision: str, *, namespace: str, timeout: timedelta
    ) -> Sequence[Listed]:
        done = self._uninstall(revision, namespace, ["--dry-run"], timeout=timeout)
        if done.code != 0 and output.knows_no_revision(done.stderr):
            return ()
        self._expect_success(done, f"uninstall --dry-run of revision {revision}")
        return output.listed(done.stdout)

    def uninstall(self, revision: str, *, namespace: str, guard: Guard, timeout: timedelta) -> None:
        """Uninstall a revision; one that nothing names any more is no error."""
        done = self._uninstall(revision, namespace, [], timeout=timeout, check=guard.check)
        if done.code != 0 and not output.knows_no_revision(done.stderr):
            self._expect_success(done, f"uninstall of revision {revision}")

    def set_tag(
        self, tag: str, *, revision: str, namespace: str, guard: Guard, timeout: timedelta
    ) -> None:
        arguments = [
            "tag", "set", _checked(tag, "tag"), f"--revision={_checked(revision, 'revision')}",
            "--overwrite", "-y", self._namespace_flag(namespace), *self._cluster,
        ]  # fmt: skip
        done = self._run(arguments, timeout=timeout, check=guard.check)
        self._expect_success(done, f"tag set {tag} to revision {revision}")

    def _uninstall(
        self,
        revision: str,
        namespace: str,
        more: Sequence[str],
        *,
        timeout: timedelta,
        check: Callable[[], None] = lambda: None,
    ) -> leash.Finished:
        chosen = [f"--revision={_checked(revision, 'revision')}", self._namespace_flag(namespace)]
        return self._run(
            ["uninstall", "-y", *chosen, *more, *self._cluster], timeout=timeout, check=check
        )

    def _namespace_flag(self, namespace: str) -> str:
        return f"--istioNamespace={_checked(namespace or self._istio_namespace, 'namespace')}"

    def _run(
        self,
        arguments: Sequence[str],
        *,
        timeout: timedelta,
        check: Callable[[], None] = lambda: None,
    ) -> leash.Finished:
        return _run([str(self._path), *arguments], self._environment, timeout, check)

    def _expect_success(
        self, done: leash.Finished, what: str, names: Mapping[str, str] | None = None
    ) -> None:
        if done.code == 0:
            return
        why = _renamed(output.words(done.stderr, done.stdout), names or {})
        failure = _kind_of_failure(why)
        raise failure(f"istioctl {self.version}: {what} failed: {why}")


def find(
    paths: Sequence[str],
    *,
    version: Version,
    kubeconfig: str | None = None,
    context: str | None = None,
    istio_namespace: str = _USUAL_NAMESPACE,
    environment: Mapping[str, str] = os.environ,
) -> IstioctlProgram:
    """
    Return the istioctl of exactly this version: among the paths given, else on the PATH.

    Raises BadInputError, with what was found instead.
    """

    def opened(path: str) -> IstioctlProgram:
        return IstioctlProgram.open(
            path,
            kubeconfig=kubeconfig,
            context=context,
            istio_namespace=istio_namespace,
            environment=environment,
        )

    rejected: list[str] = []
    for path in paths or _on_path(version, environment):
        try:
            program = opened(path)
        except BadInputError as error:
            if paths:
                raise
            rejected.append(str(error).removesuffix(f"; {_ADVICE}"))
        else:
            if program.release == version:
                return program
            rejected.append(f"{program.path} is {program.version}")
    raise BadInputError(
        f"no istioctl {version} was found ({'; '.join(rejected) or 'none is on the PATH'}); "
        "name one with --istioctl PATH"
    )


def _on_path(version: Version, environment: Mapping[str, str]) -> list[str]:
    names = (f"istioctl-{version}", "istioctl")
    return [name for name in names if shutil.which(name, path=environment.get("PATH"))]


def _version_of(path: Path, environment: Mapping[str, str]) -> Version:
    command = [str(path), "version", "--remote=false", "-o", "json"]
    try:
        done = _run(command, environment, _QUESTION, lambda: None)
    except UpgradeError as error:
        raise BadInputError(f"{path} is no istioctl that works: {error}; {_ADVICE}") from error
    if done.code != 0:
        why = output.words(done.stderr, done.stdout)
        raise BadInputError(f"{path} is no istioctl that works: {why}; {_ADVICE}")
    try:
        return output.client_version(done.stdout)
    except BadInputError as error:
        raise BadInputError(f"{path} {error}; {_ADVICE}") from error


def _program(path: str, environment: Mapping[str, str]) -> Path:
    """Return where a program is; a mere name is looked up on the PATH, as a shell does."""
    if os.sep not in path:
        named = shutil.which(path, path=environment.get("PATH"))
        if named is None:
            raise BadInputError(f"there is no program {path!r} on the PATH; {_ADVICE}")
        return Path(named).absolute()
    try:
        file = Path(path).expanduser().absolute()
    except RuntimeError as error:  # ~nobody
        raise BadInputError(f"{path} begins with a home that is not there; {_ADVICE}") from error
    if not file.is_file():
        raise BadInputError(f"{path} is no file; {_ADVICE}")
    if not os.access(file, os.X_OK):
        raise BadInputError(f"{path} may not be executed; make it so with chmod +x")
    return file


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    timeout: timedelta,
    check: Callable[[], None],
) -> leash.Finished:
    program = Path(command[0]).name
    try:
        done = leash.run(
            command, environment=environment, seconds=timeout.total_seconds(), check=check
        )
    except OSError as error:
        raise TransientError(f"{program} could not be started: {error.strerror}") from error
    what = f"{program} {command[1]}"
    if done.code == leash.TIMED_OUT:
        raise TransientError(f"{what} did not end within {timeout.total_seconds():.0f} s")
    if done.code == leash.NOT_STARTED:
        raise BadInputError(output.words(done.stderr))
    if done.code > _KILLED:
        raise TransientError(f"{what} was ended from outside by signal {done.code - _KILLED}")
    if done.is_cut:
        raise RefusedError(f"{what} printed more than any istioctl does")
    return done


def _kind_of_failure(why: str) -> type[UpgradeError]:
    if output.is_not_ready(why):
        return UnhealthyError
    return TransientError if output.may_pass(why) else RefusedError


@contextmanager
def _flags(request: InstallRequest) -> Generator[tuple[list[str], dict[str, str]]]:
    """Write the overlays where only we can read them; yield flags, and whose file each path was."""
    flags = [f"--revision={_checked(request.revision, 'revision')}"]
    if _checked(request.namespace, "namespace") != _USUAL_NAMESPACE:
        flags.append(f"--set=values.global.istioNamespace={request.namespace}")
    names: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="istio-canary-") as folder:  # made with mode 0700
        for number, overlay in enumerate(request.overlays):
            file = Path(folder) / f"overlay-{number}.yaml"
            file.write_text(overlay.content, encoding="utf-8")
            names[str(file)] = overlay.name
            flags.append(f"--filename={file}")
        flags.extend(f"--set={_checked_setting(one)}" for one in request.sets)
        yield flags, names


def _cluster_flags(kubeconfig: str | None, context: str | None) -> tuple[str, ...]:
    flags: list[str] = []
    # A list of files is for the environment variable only.
    if kubeconfig is not None and os.pathsep not in kubeconfig:
        flags.append(f"--kubeconfig={kubeconfig}")
    if context is not None:
        flags.append(f"--context={context}")
    return tuple(flags)


def _is_needed(variable: str) -> bool:
    return variable in _VARIABLES or variable.startswith(_CLOUDS)


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for path, name in names.items():
        text = text.replace(path, name)
    return text


def _checked(name: str, what: str) -> str:
    if not is_dns_label(name):
        raise BadInputError(
            f"{what} {name!r} is not a DNS-1123 label: lower case letters, digits and '-'"
        )
    return name


def _checked_setting(setting: str) -> str:
    path, equals, _ = setting.partition("=")
    if not path.strip() or not equals or "\0" in setting:
        raise BadInputError(f"--set {path!r} is not of the form PATH=VALUE")
    return setting
