"""How the official client finds the API server and our credentials; its errors as sentences."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import kubernetes.client
import kubernetes.config
import yaml

from tasks.domain.errors import BadInputError

_DEFAULT_FILE: Final = "~/.kube/config"
_Contexts = tuple[Sequence[Mapping[str, object]], object]
_THREADS: Final = 32
# What the client's loader raises for a file of the wrong shape.
_BROKEN: Final = (
    kubernetes.config.ConfigException,
    yaml.YAMLError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
)


def configuration(
    *,
    kubeconfig: str | None,
    context: str | None,
    environment: Mapping[str, str] = os.environ,
) -> kubernetes.client.Configuration:
    """
    Return the client's configuration: of a kubeconfig, or of the pod that we run in.

    Raises BadInputError for a file or context that is missing or broken.
    """
    made = kubernetes.client.Configuration()
    files = kubeconfig or environment.get("KUBECONFIG") or _DEFAULT_FILE
    if _exists(files):
        _from_file(made, files, context)
    elif kubeconfig or environment.get("KUBECONFIG") or context:
        raise BadInputError(
            f"there is no kubeconfig {files}; name one with --kubeconfig or KUBECONFIG"
        )
    else:
        _from_pod(made)
    made.retries = False  # retries are ours, where an operator can see them
    made.connection_pool_maxsize = _THREADS
    return made


def _exists(files: str) -> bool:
    return any(Path(one).expanduser().is_file() for one in files.split(os.pathsep) if one)


def _from_file(made: kubernetes.client.Configuration, files: str, context: str | None) -> None:
    try:
        listed = cast("_Contexts", kubernetes.config.list_kube_config_contexts(config_file=files))  # type: ignore[no-untyped-call]  # the client's
        names = sorted(str(one["name"]) for one in listed[0])
    except _BROKEN as error:
        raise BadInputError(f"kubeconfig {files} cannot be used: {_first_line(error)}") from error
    if context is not None and context not in names:
        raise BadInputError(
            f"kubeconfig {files} has no context {context!r}; it has {', '.join(names) or 'none'}"
        )
    try:
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]  # the client's
            config_file=files, context=context, client_configuration=made, persist_config=False
        )
    except _BROKEN as error:
        raise BadInputError(f"kubeconfig {files} cannot be used: {_first_line(error)}") from error


def _from_pod(made: kubernetes.client.Configuration) -> None:
    try:
        kubernetes.config.load_incluster_config(client_configuration=made)  # type: ignore[no-untyped-call]  # the client's
    except kubernetes.config.ConfigException as error:
        raise BadInputError(
            f"there is no kubeconfig {_DEFAULT_FILE} and we do not run in a pod; "
            "name a kubeconfig with --kubeconfig or KUBECONFIG"
        ) from error


def _first_line(error: Exception) -> str:
    # YAML's errors go on with the text around the fault, which may be a token.
    if isinstance(error, yaml.YAMLError):
        return "it is not YAML"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
