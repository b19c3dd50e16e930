"""Where objects may be created: in a namespace that is there, and that is not going away."""

from deployments.rehearsal.cluster.asking import Asked
from deployments.rehearsal.cluster.errors import ApiError, not_found
from deployments.rehearsal.cluster.objects import is_terminating
from deployments.rehearsal.cluster.resources import NAMESPACES
from deployments.rehearsal.cluster.store import Store


def check_place(store: Store, asked: Asked) -> None:
    """Refuse to create an object where none can be."""
    if not asked.resource.namespaced:
        return
    namespace = store.get(NAMESPACES, asked.namespace)
    if namespace is None:
        raise not_found(NAMESPACES, asked.namespace)
    if is_terminating(namespace):
        text = (
            f"unable to create new content in namespace {asked.namespace} because it is being "
            "terminated"
        )
        details = {
            "name": asked.name,
            "group": asked.resource.group,
            "kind": asked.resource.plural,
            "causes": [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {asked.namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        }
        raise ApiError(
            403,
            "Forbidden",
            f'{asked.resource.qualified} "{asked.name}" is forbidden: {text}',
            details={key: value for key, value in details.items() if value},
        )
