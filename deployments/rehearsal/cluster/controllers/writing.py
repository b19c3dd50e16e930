"""What controllers write alike: the end of an object that they keep, and the status of one."""

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import Json, name_of, namespace_of, status_of, uid_of
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.verbs import Server


async def end(
    server: Server, resource: Resource, obj: Json, *, propagation: str | None = None
) -> bool:
    """Delete this very object. Returns whether it was there to be deleted."""
    try:
        await server.delete(
            resource,
            name_of(obj),
            namespace=namespace_of(obj),
            propagation=propagation,
            uid=uid_of(obj),
        )
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return False
    return True


async def write_status(server: Server, resource: Resource, obj: Json, status: Json) -> bool:
    """Write an object's status, if it is news. Returns whether it was."""
    if status == status_of(obj):
        return False
    body = obj | {"status": status}
    await server.update(resource, body, namespace=namespace_of(obj), subresource="status")
    return True
