"""Where the cluster is and who we are, from kubeconfig files. Makes no requests."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from deployments.rehearsal.istioctl.errors import CommandError

Json = dict[str, Any]

_SETUP: Final = "failed to setup client"
_LOADER: Final[type[yaml.SafeLoader | yaml.CSafeLoader]] = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one cluster's API server."""

    server: str
    authority: bytes | None = None  # PEM; None: those that this machine trusts
    is_insecure: bool = False
    server_name: str = ""
    token: str = ""
    certificate: bytes | None = None
    key: bytes | None = None
    namespace: str = "default"


def access(environment: Mapping[str, str], *, path: str = "", context: str = "") -> Access:
    """Return the access that kubectl would use. Raises CommandError."""
    config = _merged([_read(one, must_exist=bool(path)) for one in _paths(environment, path)])
    name = context or config.get("current-context") or ""
    chosen = config["contexts"].get(name)
    if chosen is None:
        if name:
            raise CommandError(f'{_SETUP}: context "{name}" does not exist')
        raise CommandError(f"{_SETUP}: invalid configuration: no configuration has been provided")
    cluster: Json = config["clusters"].get(chosen.get("cluster", "")) or {}
    if not cluster.get("server"):
        raise CommandError(f'{_SETUP}: cluster "{chosen.get("cluster")}" does not exist')
    user: Json = config["users"].get(chosen.get("user", "")) or {}
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        authority=_content(cluster, "certificate-authority"),
        is_insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=str(cluster.get("tls-server-name") or ""),
        token=_token(user),
        certificate=_content(user, "client-certificate"),
        key=_content(user, "client-key"),
        namespace=str(chosen.get("namespace") or "default"),
    )


def _paths(environment: Mapping[str, str], path: str) -> Sequence[Path]:
    if path:
        return [Path(path)]
    listed = environment.get("KUBECONFIG")
    if listed:
        return [Path(one) for one in listed.split(os.pathsep) if one]
    return [Path(environment.get("HOME", "/")) / ".kube" / "config"]


def _read(path: Path, *, must_exist: bool) -> Json:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if must_exist:
            raise CommandError(f"{_SETUP}: stat {path}: no such file or directory") from None
        return {}
    except OSError as error:
        raise CommandError(f"{_SETUP}: open {path}: {error.strerror}") from error
    try:
        found: Json = yaml.load(text, Loader=_LOADER) or {}  # noqa: S506 - a safe one, in C where there is one
    except yaml.YAMLError as error:
        raise CommandError(f"{_SETUP}: error loading config file {path}: {error}") from error
    return _absolute(found, path.parent)


def _absolute(config: Json, folder: Path) -> Json:
    """Resolve the file names in a kubeconfig, which are relative to it."""
    for kind, part in (("clusters", "cluster"), ("users", "user")):
        for named in cast("list[Json]", config.get(kind) or []):
            content: Json = named.get(part) or {}
            for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
                if content.get(key):
                    content[key] = str(folder / content[key])
    return config


def _merged(configs: Sequence[Json]) -> Json:
    """Join files: of two with the same name, the first counts."""
    result: Json = {"clusters": {}, "contexts": {}, "users": {}}
    for config in configs:
        result.setdefault("current-context", config.get("current-context"))
        for kind, part in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
            for named in cast("list[Json]", config.get(kind) or []):
                result[kind].setdefault(named.get("name"), named.get(part) or {})
    return result


def _content(part: Json, key: str) -> bytes | None:
    if encoded := part.get(f"{key}-data"):
        return base64.b64decode(encoded)
    return Path(part[key]).read_bytes() if part.get(key) else None


def _token(user: Json) -> str:
    if user.get("tokenFile"):
        return Path(user["tokenFile"]).read_text(encoding="utf-8").strip()
    return str(user.get("token") or "")
