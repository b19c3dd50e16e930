"""Which commands there are, what flags they take, and where they are: each is loaded when called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.istioctl.options import Flag, Takes

_PACKAGE: Final = "deployments.rehearsal.istioctl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Module and function that do it: `function(context) -> None`."""

    module: str
    function: str
    flags: Sequence[Flag] = ()

    @property
    def path(self) -> str:
        return f"{_PACKAGE}.{self.module}"


def _text(name: str, short: str = "") -> Flag:
    return Flag(name=name, short=short)


def _switch(name: str, short: str = "") -> Flag:
    return Flag(name=name, short=short, takes=Takes.SWITCH)


_REVISION: Final = _text("revision", "r")
_YES: Final = _switch("skip-confirmation", "y")
_DRY_RUN: Final = _switch("dry-run")
_OUTPUT: Final = _text("output", "o")
_RENDERED: Final = (
    _text("filename", "f"), _text("set", "s"), _text("manifests", "d"), _text("charts"),
    _switch("force"), _REVISION,
)  # fmt: skip
_TAG: Final = (
    _REVISION, _YES, _switch("overwrite"), _text("manifests", "d"), _text("webhook-name"),
    _switch("auto-inject-namespaces"),
)  # fmt: skip
_XDS: Final = (
    _REVISION, _text("xds-address"), _text("xds-label"), _text("cert-dir"), _text("authority"),
    Flag(name="xds-port", takes=Takes.NUMBER), Flag(name="timeout", takes=Takes.DURATION),
    _switch("insecure"), _switch("plaintext"),
)  # fmt: skip

_INSTALL: Final = Command(
    module="install",
    function="install",
    flags=(
        *_RENDERED, _YES, _DRY_RUN, _switch("verify"),
        Flag(name="readiness-timeout", takes=Takes.DURATION),
    ),
)  # fmt: skip
_STATUS: Final = Command(
    module="proxy_status",
    function="proxy_status",
    flags=(*_XDS, _OUTPUT, Flag(name="verbosity", short="v", takes=Takes.NUMBER), _text("file")),
)
_TAG_LIST: Final = Command(module="tags", function="list_tags", flags=(_OUTPUT,))
_TAG_REMOVE: Final = Command(module="tags", function="remove_tag", flags=(_YES,))

COMMANDS: Final[Mapping[tuple[str, ...], Command]] = {
    ("version",): Command(
        module="version",
        function="version",
        flags=(_REVISION, _OUTPUT, _switch("remote"), _switch("short", "s")),
    ),
    ("manifest", "generate"): Command(
        module="install", function="generate", flags=(*_RENDERED, _switch("cluster-specific"))
    ),
    ("install",): _INSTALL,
    ("apply",): _INSTALL,
    ("uninstall",): Command(
        module="uninstall",
        function="uninstall",
        flags=(*_RENDERED, _YES, _DRY_RUN, _switch("purge"), _switch("verbose", "v")),
    ),
    ("tag", "set"): Command(module="tags", function="set_tag", flags=_TAG),
    ("tag", "generate"): Command(module="tags", function="generate_tag", flags=_TAG),
    ("tag", "list"): _TAG_LIST,
    ("tag", "show"): _TAG_LIST,
    ("tag", "remove"): _TAG_REMOVE,
    ("tag", "delete"): _TAG_REMOVE,
    ("proxy-status",): _STATUS,
    ("ps",): _STATUS,
    ("experimental", "precheck"): Command(
        module="precheck",
        function="precheck",
        flags=(
            _REVISION, _OUTPUT, _text("output-threshold"), _switch("skip-controlplane"),
            _text("from-version", "f"),
        ),
    ),
    ("experimental", "internal-debug"): Command(
        module="internal_debug",
        function="internal_debug",
        flags=(*_XDS, _switch("all"), _switch("list", "L")),
    ),
    ("analyze",): Command(
        module="analyze",
        function="analyze",
        flags=(
            _REVISION, _OUTPUT, _text("output-threshold"), _text("failure-threshold"),
            _switch("all-namespaces", "A"), _switch("use-kube", "k"), _switch("color"),
            _text("suppress", "S"), _switch("verbose", "v"),
            Flag(name="timeout", takes=Takes.DURATION), _switch("ignore-unknown"),
        ),
    ),
}  # fmt: skip
ALIASES: Final = {"x": "experimental", "exp": "experimental"}
GROUPS: Final[Mapping[str, str]] = {
    "tag": "Command group used to interact with revision tags.",
    "manifest": "Commands related to Istio manifests",
    "experimental": "Experimental commands that may be modified or deprecated",
}
