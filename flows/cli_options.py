"""The command line's options: their names are fixed, since others script against them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from flows.cli_output import Format
from tasks.domain.errors import BadInputError
from tasks.domain.parameters import ClusterAccess, UpgradeParameters, parse, parse_access
from tasks.domain.policy import GateName

Kubeconfig = Annotated[
    str | None, typer.Option("--kubeconfig", help="Kubeconfig file. Default: as kubectl's.")
]
Context = Annotated[
    str | None, typer.Option("--context", help="Kubeconfig context. Default: the current one.")
]
IstioNamespace = Annotated[
    str, typer.Option("--istio-namespace", help="Where istiod runs.", show_default=True)
]
IstioNamespaceFlag = Annotated[
    str | None, typer.Option("--istio-namespace", help="Where istiod runs. Default: istio-system.")
]
Output = Annotated[
    Format,
    typer.Option("-o", "--output", help="json: one document on stdout, all else on stderr."),
]
ParametersFile = Annotated[
    Path | None,
    typer.Option("-p", "--parameters", help="YAML file of parameters; flags go over it."),
]
To = Annotated[str | None, typer.Option("--to", help="Istio version to upgrade to: 1.29.1.")]
From = Annotated[
    str | None,
    typer.Option("--from", help="Revision to replace; needed only if several are in use."),
]
Revision = Annotated[
    str | None, typer.Option("--revision", help="The canary's name. Default: 1.29.1 gives 1-29-1.")
]
IstioctlPaths = Annotated[
    list[str] | None,
    typer.Option(
        "--istioctl",
        help="Path of an istioctl; each is asked its version. Default: istioctl and "
        "istioctl-VERSION on the PATH. Repeatable.",
    ),
]
Filenames = Annotated[
    list[Path] | None,
    typer.Option("-f", "--filename", help="IstioOperator overlay, as istioctl's. Repeatable."),
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="PATH=VALUE, as istioctl's. Repeatable.")
]
Waves = Annotated[
    list[str] | None,
    typer.Option(
        "--wave",
        help="Namespaces of a wave, NS[,NS...]. Repeatable, in order; what is not named goes "
        "last, in one wave.",
    ),
]
GateNames = Annotated[
    str | None,
    typer.Option("--gates", help="all, none, or some of start,wave,default,uninstall."),
]
KeepOld = Annotated[
    bool | None,
    typer.Option("--keep-old", help="Stop before the old revision is uninstalled."),
]
Override = Annotated[
    list[str] | None,
    typer.Option("--override", help="Go on in spite of this blocking finding. Repeatable."),
]
Run = Annotated[str | None, typer.Argument(help="The run. Default: the unfinished one.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]


def access(kubeconfig: str | None, context: str | None, namespace: str) -> ClusterAccess:
    """Return which cluster is meant. Raises BadInputError for what cannot be a name."""
    return parse_access(
        {"kubeconfig": kubeconfig, "context": context, "istio_namespace": namespace}
    )


def read_parameters(
    file: Path | None, flags: dict[str, Any], *, filenames: Sequence[Path], gates: str | None
) -> UpgradeParameters:
    """Put flags over a parameters file. Raises BadInputError naming what is wrong where."""
    document = _document(file)
    at = {**_mapping(document, "cluster"), **flags.pop("cluster", {})}
    document.update({key: value for key, value in flags.items() if value not in (None, [])})
    document["cluster"] = at
    if filenames:
        document["overlays"] = [_overlay(path) for path in filenames]
    if gates is not None:
        document["gates"] = {**_mapping(document, "gates"), "at": _gates(gates)}
    if "to" not in document:
        raise BadInputError("--to is missing: which Istio version to upgrade to, e.g. --to 1.29.1")
    return parse(document)


def _mapping(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise BadInputError(f"{name}: takes a mapping of settings, not {found!r}")
    return cast("dict[str, Any]", found)


def _document(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        found = yaml.safe_load(_read(file, "--parameters"))
    except (yaml.YAMLError, ValueError) as error:  # the second: a date that is none
        line = " ".join(str(error).split())
        raise BadInputError(f"--parameters {file} is not YAML: {line}") from error
    if not isinstance(found, dict):
        raise BadInputError(f"--parameters {file} holds no mapping of parameters")
    return cast("dict[str, Any]", found)


def _overlay(path: Path) -> dict[str, str]:
    return {"name": path.name, "content": _read(path, "--filename")}


def _read(path: Path, flag: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise BadInputError(f"{flag} {path} cannot be read: {why}") from error


def _gates(text: str) -> list[str]:
    if text == "all":
        return [str(one) for one in GateName]
    names = [] if text == "none" else text.split(",")
    known = {str(one) for one in GateName}
    if unknown := [one for one in names if one not in known]:
        raise BadInputError(
            f"--gates takes all, none, or some of {', '.join(sorted(known))}; not {unknown[0]!r}"
        )
    return names


def waves(given: Sequence[str] | None) -> list[list[str]]:
    """Return the namespaces of each wave. Raises BadInputError for an empty one."""
    lists = [one.split(",") for one in given or ()]
    for number, names in enumerate(lists, 1):
        if not all(names):
            raise BadInputError(f"--wave number {number} is empty or has an empty name: NS[,NS...]")
    return lists
