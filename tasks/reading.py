"""Asking every istiod for its proxies, side by side; an istiod that does not answer is reported, never left out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tasks import wiring
from tasks.adapters.ports import Istiods
from tasks.domain.errors import RefusedError, TransientError
from tasks.domain.inventory import ControlPlane, IstiodPod, IstiodReport

_AT_ONCE = 8


def reports(planes: Sequence[ControlPlane]) -> tuple[IstiodReport, ...]:
    """Ask each pod of these control planes which proxies are connected to it."""
    # Taken here: the pool's threads do not inherit the context.
    istiods = wiring.services().istiods
    pods = [pod for plane in planes for pod in plane.pods]
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="syncz") as pool:
        return tuple(pool.map(partial(_ask, istiods), pods))


def _ask(istiods: Istiods, pod: IstiodPod) -> IstiodReport:
    try:
        return IstiodReport(istiod=pod, proxies=istiods.proxies(pod))
    except (TransientError, RefusedError) as error:
        return IstiodReport(istiod=pod, proxies=None, problem=str(error))
