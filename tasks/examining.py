"""Looking at what an upgrade needs, part by part. Changes nothing."""

from collections.abc import Callable, Sequence

from tasks import reading, wiring
from tasks.domain.documents import DoctorReport, Examined
from tasks.domain.errors import BadInputError, UpgradeError
from tasks.domain.revision import Version
from tasks.settings import Settings

Look = Callable[[], str]


def examine(
    settings: Settings, person: str, *, to: str | None, istioctl: Sequence[str]
) -> DoctorReport:
    """Return what is in order and what is not, and what to do about it."""
    looks: dict[str, tuple[Look, str]] = {
        "cluster": (_cluster, "check --kubeconfig and --context"),
        "you": (lambda: person, ""),
        "istiods": (_istiods, "grant create on pods/portforward in istiod's namespace"),
        "prefect": (lambda: _prefect(settings), "start that server, or unset PREFECT_API_URL"),
        "signing key": (_signing_key, "let the key's file or Secret be readable by you alone"),
    }
    if to is not None:
        looks["istioctl"] = (lambda: _istioctl(to, istioctl), "name one with --istioctl")
    checks = tuple(_examined(what, look, todo) for what, (look, todo) in looks.items())
    return DoctorReport(is_healthy=all(one.is_good for one in checks), checks=checks)


def _examined(what: str, look: Look, todo: str) -> Examined:
    try:
        return Examined(what=what, is_good=True, text=look())
    except UpgradeError as error:
        return Examined(what=what, is_good=False, text=str(error), todo=todo)


def _cluster() -> str:
    inventory = wiring.services().cluster.read()
    if inventory.unread:
        first = inventory.unread[0]
        raise BadInputError(f"{first.what} could not be read: {first.why}")
    planes = ", ".join(
        f"{one.revision} ({one.version or 'unknown version'})" for one in inventory.control_planes
    )
    return f"Kubernetes {inventory.kubernetes}; istiods: {planes or 'none'}"


def _istiods() -> str:
    planes = wiring.services().cluster.control_planes()
    reports = reading.reports(planes)
    for one in reports:
        if one.proxies is None:
            raise BadInputError(f"{one.istiod.name} did not answer: {one.problem}")
    counted = sum(len(one.proxies or ()) for one in reports)
    return f"{len(reports)} asked, {counted} proxies connected"


def _prefect(settings: Settings) -> str:
    if settings.prefect_api_url is None:
        return "none configured: runs use a server of your own"
    prefect = wiring.prefect_api(settings)
    is_deployed = prefect.has_deployment("upgrade/istio-canary")
    how = "has the deployment upgrade/istio-canary" if is_deployed else "has no deployment of ours"
    return f"{settings.prefect_api_url} {how}"


def _signing_key() -> str:
    wiring.services().signing_key(None)
    return "readable"


def _istioctl(to: str, paths: Sequence[str]) -> str:
    program = wiring.services().istioctl(list(paths), Version.parse(to))
    return f"istioctl {program.version}"
