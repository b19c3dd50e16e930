"""
What istioctl printed, in the domain's words. Runs nothing.

Three outputs are understood: the version, the manifest, and the list of an uninstall's dry run. All
else is for people: `words` makes one short paragraph of it.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import yaml

from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.removal import Listed
from tasks.domain.rendering import Rendered, RenderedObject
from tasks.domain.revision import DEFAULT, Version

_LONGEST: Final = 400
_COLOUR: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_MESSAGE: Final = "Error: "
# `apps/v1, Kind=Deployment/istiod-1-28-3.istio-system`; what is cluster-wide ends with its dot.
_LISTED: Final = re.compile(
    r"Not pruning object \S+, Kind=(?P<kind>\w+)/(?P<name>\S+)\.(?P<namespace>[a-z0-9-]*)"
    r" because of dry run"
)
_LISTING: Final = "Not pruning object"
_NOTHING_LISTED: Final = "No resources will be pruned from the cluster"
_UNKNOWN_REVISION: Final = "could not find target revision"
# That an install waited for as long as it may, and whatever it waited for still was not ready.
_NOT_READY: Final = re.compile(r"resources not ready after \S+: context deadline exceeded")
# What passes by itself, in the words of Go's network library, of API servers and of istioctl.
_PASSING: Final = re.compile(
    r"timed out|timeout|deadline exceeded|connection (refused|reset|lost)|no such host|EOF\b"
    r"|no route to host|network is unreachable|broken pipe|currently unable|too many requests"
    r"|etcdserver|object has been modified|no endpoints available",
    re.IGNORECASE,
)
# The C loader reads a manifest with its fourteen CRDs in a fifth of a second; Python's own is slow.
_LOADER: Final[type[yaml.SafeLoader | yaml.CSafeLoader]] = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)


class _ClientVersion(msgspec.Struct, frozen=True):
    version: str


class _Versions(msgspec.Struct, frozen=True, rename="camel"):
    client_version: _ClientVersion


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    namespace: str | None = None


class _Object(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    metadata: _Metadata
    data: object = None


def client_version(stdout: bytes) -> Version:
    """Read `version --remote=false -o json`. Raises BadInputError for what no istioctl prints."""
    try:
        found = msgspec.json.decode(stdout, type=_Versions).client_version.version
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadInputError("prints no version as istioctl does") from error
    try:
        return Version.parse(found)
    except BadInputError as error:
        raise BadInputError(f"is of version {found[:40]!r}, which is no released one") from error


def lines(output: bytes) -> tuple[str, ...]:
    """Return the lines that say something, without colours."""
    text = _COLOUR.sub("", output.decode(errors="replace"))
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def words(stderr: bytes, stdout: bytes = b"") -> str:
    """Return why istioctl failed: its error if it named one, else the last that it said."""
    said = lines(stderr) or lines(stdout)
    starts = [index for index, line in enumerate(said) if _MESSAGE in line]
    if starts:
        error = " ".join(said[starts[-1] :])
        return _cut(error[error.index(_MESSAGE) + len(_MESSAGE) :])
    return _cut(" ".join(_last(said))) or "it did not say why"


def _last(said: Sequence[str]) -> Sequence[str]:
    """Return as many of the last lines as one paragraph holds."""
    kept = list(said[-1:])
    for line in reversed(said[:-1]):
        if sum(map(len, kept)) + len(kept) + len(line) > _LONGEST:
            break
        kept.insert(0, line)
    return kept


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def is_not_ready(text: str) -> bool:
    """Whether an install failed because what it installed did not come up in all of its time."""
    return _NOT_READY.search(text) is not None


def may_pass(text: str) -> bool:
    """Whether a failure is one that the same command may not meet again."""
    return _PASSING.search(text) is not None


def knows_no_revision(stderr: bytes) -> bool:
    """Whether an uninstall failed because nothing names the revision any more."""
    return _UNKNOWN_REVISION in stderr.decode(errors="replace")


def listed(stdout: bytes) -> tuple[Listed, ...]:
    """Return what an uninstall's dry run would delete. Raises RefusedError for unknown words."""
    said = lines(stdout)
    found = tuple(
        Listed(kind=match["kind"], name=match["name"], namespace=match["namespace"])
        for match in map(_LISTED.search, said)
        if match is not None
    )
    is_whole = len(found) == sum(_LISTING in line for line in said)
    if not is_whole or not (found or any(_NOTHING_LISTED in line for line in said)):
        raise RefusedError(
            "istioctl uninstall --dry-run did not list objects in words that we know, so what it "
            "would delete is unknown; uninstall by hand, or use an istioctl of another version"
        )
    return found


def rendered(stdout: bytes, stderr: bytes, *, revision: str) -> Rendered:
    """Read a manifest. Raises RefusedError for one that is none."""
    try:
        objects = tuple(_objects(stdout))
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeError) as error:
        raise RefusedError(
            "istioctl manifest generate printed something else than Kubernetes objects"
        ) from error
    suffix = "" if revision == DEFAULT else f"-{revision}"
    return Rendered(
        sha256=hashlib.sha256(stdout).hexdigest(),
        objects=tuple(sorted(map(_named, objects))),
        mesh_config=_text_of(objects, f"istio{suffix}", "mesh"),
        values=_text_of(objects, f"values{suffix}", "merged-values"),
        warnings=lines(stderr),
    )


def _objects(manifest: bytes) -> Iterator[_Object]:
    for document in yaml.load_all(manifest, Loader=_LOADER):
        if document is not None:
            yield msgspec.convert(document, _Object)


def _named(one: _Object) -> RenderedObject:
    return RenderedObject(
        api_version=one.api_version,
        kind=one.kind,
        name=one.metadata.name,
        namespace=one.metadata.namespace or "",
    )


def _text_of(objects: Sequence[_Object], name: str, key: str) -> str | None:
    for one in objects:
        if one.kind == "ConfigMap" and one.metadata.name == name:
            data = msgspec.convert(one.data or {}, dict[str, str])
            return data.get(key)
    return None
