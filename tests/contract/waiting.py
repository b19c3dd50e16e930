"""What rows wait for: pods, conditions and rollouts."""

from tests.contract.client import Json
from tests.contract.place import Place


def pods(place: Place, app: str = "web") -> list[Json]:
    """Return the pods of an app that are there to stay."""
    found = place.items("pods", labelSelector=f"app={app}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def names(found: list[Json]) -> set[str]:
    return {one["metadata"]["name"] for one in found}


def is_ready(pod: Json) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def condition(obj: Json, kind: str) -> Json:
    """Return a condition of an object, an empty one if it has none of that type."""
    conditions: list[Json] = obj.get("status", {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})


def ready(place: Place, count: int, app: str = "web") -> list[Json]:
    """Wait until an app has exactly so many pods, all ready."""

    def found() -> list[Json] | None:
        there = pods(place, app)
        return there if len(there) == count and all(map(is_ready, there)) else None

    return place.until(found, f"{count} pods of {app} are ready")


def rolled_out(place: Place, plural: str = "deployments", name: str = "web") -> Json:
    """Wait until a workload is what its newest spec says."""

    def found() -> Json | None:
        obj = place.get(plural, name)
        status, wanted = obj.get("status", {}), obj["spec"].get("replicas", 1)
        is_seen = status.get("observedGeneration") == obj["metadata"]["generation"]
        counts = [status.get(key, 0) for key in ("updatedReplicas", "replicas", "readyReplicas")]
        return obj if is_seen and counts == [wanted] * 3 else None

    return place.until(found, f"{plural} {name} is rolled out")


def events(place: Place, reason: str, kind: str = "") -> list[Json]:
    found = place.items("events", fieldSelector=f"reason={reason}")
    return [one for one in found if kind in {"", one["involvedObject"]["kind"]}]
