"""Numbers as specs give them: plain, or as a percentage of something."""

from deployments.rehearsal.cluster.objects import Json, spec_of


def resolved(amount: object, total: int, *, round_up: bool) -> int:
    """Return how many `3` or `"25%"` of a total are. What is no number is none."""
    if isinstance(amount, int):
        return amount
    text = str(amount or "").removesuffix("%")
    if not text.isdecimal():
        return 0
    if not str(amount).endswith("%"):
        return int(text)
    return -(-int(text) * total // 100) if round_up else int(text) * total // 100


def replicas_of(obj: Json) -> int:
    """Return how many pods a workload should have; one if it does not say."""
    wanted = spec_of(obj).get("replicas")
    return 1 if wanted is None else int(wanted)


def number(part: Json, name: str, default: int = 0) -> int:
    """Return a number of a spec or a status, which leaves out what is zero."""
    value = part.get(name)
    return default if value is None else int(value)


def without_zeros(status: Json, *optional: str) -> Json:
    """Return a status as Kubernetes writes it: without those counts, where they are zero."""
    return {name: value for name, value in status.items() if value or name not in optional}
