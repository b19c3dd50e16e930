"""`version`: of this program, and of control and data plane if a cluster answers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from deployments.rehearsal.istioctl.context import Context
from deployments.rehearsal.istioctl.errors import CommandError
from deployments.rehearsal.istioctl.objects import is_true, labels_of, parts

Json = dict[str, Any]

_TYPES: Final[Mapping[str, str]] = {"router": "gateway"}
_GO_NAMES: Final = (
    ("Version", "version"), ("GitRevision", "revision"), ("GolangVersion", "golang_version"),
    ("BuildStatus", "status"), ("GitTag", "tag"),
)  # fmt: skip


def version(context: Context) -> None:
    """Print versions. Whatever the cluster says or does not say, this succeeds."""
    form = context.options.text("output")
    if form not in {"", "json", "yaml"}:
        raise CommandError("--output must be 'yaml' or 'json'")
    found: Json = {"clientVersion": context.description.client()}
    if context.options.has("remote", otherwise=True):
        found |= _remote(context)
    if form == "json":
        context.terminal.say(json.dumps(found, indent=2))
    elif form == "yaml":
        import yaml  # noqa: PLC0415 - not needed by those who only ask which program this is

        context.terminal.say(yaml.safe_dump(found))
    else:
        for line in _lines(found, is_short=context.options.has("short", otherwise=True)):
            context.terminal.say(line)


def _remote(context: Context) -> Json:
    from deployments.rehearsal.istioctl import istiods  # noqa: PLC0415 - loads TLS and WebSockets

    try:
        revision = istiods.revision_or_default(context)
        pods = istiods.running(context, revision=revision)
    except CommandError as error:
        context.terminal.complain(f"Istio is not present in the cluster: {error}")
        return {}
    if not pods:
        context.terminal.complain(
            "Istio is not present in the cluster: no running Istio pods in namespace "
            f'"{context.istio_namespace}"'
        )
        return {}
    found: Json = {"meshVersion": [_server(context, pod) for pod in pods if is_true(pod, "Ready")]}
    try:
        rows = istiods.rows(context, revision=revision)
    except CommandError:
        return found
    found["dataPlaneVersion"] = [
        {
            "ID": row["proxy"],
            "IstioVersion": row.get("istio_version", ""),
            "Type": _TYPES.get(row.get("proxy_type", ""), row.get("proxy_type", "")),
        }
        for row in rows
    ]
    return found


def _server(context: Context, pod: Json) -> Json:
    from deployments.rehearsal.istioctl import istiods  # noqa: PLC0415 - loaded by now

    labels = labels_of(pod)
    try:
        # `1.28.3-unknown-Clean`
        said = istiods.ask(context, pod, "/version").decode().strip()
    except CommandError:
        said = ""
    number, _, rest = said.partition("-")
    git, _, status = rest.rpartition("-")
    info = {
        "version": number,
        "revision": git,
        "golang_version": "",
        "status": status,
        "tag": number,
    }
    return {
        "Component": labels.get("istio", "pilot"),
        "Revision": labels.get("istio.io/rev", "default"),
        "Info": info,
    }


def _lines(found: Json, *, is_short: bool) -> Sequence[str]:
    client = found["clientVersion"]
    servers = parts(found, "meshVersion")
    if not is_short:
        lines = [f"client version: {_long(client)}"]
        return [*lines, *(f"{one['Component']} version: {_long(one['Info'])}" for one in servers)]
    lines = [f"client version: {client['version']}"]
    numbers = {one["Info"]["version"] for one in servers}
    if len(numbers) == 1:
        lines.append(f"control plane version: {numbers.pop()}")
    else:
        lines += [f"{one['Component']} version: {one['Info']['version']}" for one in servers]
    if "dataPlaneVersion" in found:
        lines.append(f"data plane version: {_counted(found['dataPlaneVersion'])}")
    return lines


def _counted(proxies: Sequence[Json]) -> str:
    counts: dict[str, int] = {}
    for proxy in proxies:
        counts[proxy["IstioVersion"]] = counts.get(proxy["IstioVersion"], 0) + 1
    every = [f"{number} ({count} proxies)" for number, count in sorted(counts.items())]
    return ", ".join(every) or "none"


def _long(info: Json) -> str:
    fields = ", ".join(f'{name}:"{info[key]}"' for name, key in _GO_NAMES)
    return f"version.BuildInfo{{{fields}}}"
