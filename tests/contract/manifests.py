"""The objects of which rows are made: small, and such that a real node can run them."""

from tests.contract.client import Json
from tests.mesh.manifests import IMAGE

SERVE = "exec httpd -f -p 8080 -h /www"
IDLE = "exec sleep 100000"


def config(name: str = "one", *, labels: Json | None = None, **data: str) -> Json:
    labelled = {"labels": labels} if labels else {}
    return {"metadata": {"name": name, **labelled}} | ({"data": data} if data else {})


def container(script: str = IDLE, *, name: str = "web", is_probed: bool = False) -> Json:
    found: Json = {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
    }
    if is_probed:
        path = {"path": "/index.html", "port": 8080}
        found["readinessProbe"] = {"httpGet": path, "periodSeconds": 1}
    return found


def pod_spec(script: str = IDLE, *, is_probed: bool = False) -> Json:
    containers = [container(script, is_probed=is_probed)]
    return {"terminationGracePeriodSeconds": 1, "containers": containers}


def pod(name: str = "web", *, labels: Json | None = None, script: str = IDLE) -> Json:
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": pod_spec(script)}


def template(app: str = "web", spec: Json | None = None, **metadata: object) -> Json:
    return {"metadata": {"labels": {"app": app}, **metadata}, "spec": spec or pod_spec()}


def workload(name: str = "web", *, spec: Json | None = None, **more: object) -> Json:
    """Return a Deployment, StatefulSet or DaemonSet, whatever it is posted as."""
    body: Json = {"selector": {"matchLabels": {"app": name}}, "template": template(name, spec)}
    return {"metadata": {"name": name}, "spec": body | more}


def rolling(surge: int = 1, unavailable: int = 0) -> Json:
    values = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": values}


def service(name: str = "web") -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}}


def budget(name: str = "web", **spec: object) -> Json:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}} | spec}


RESTART: Json = {
    "spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "1"}}}}
}
