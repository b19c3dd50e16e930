"""What names and labels look like, and what is said of those that do not."""

import re
from collections.abc import Iterator
from typing import Final

from deployments.rehearsal.cluster.errors import Cause
from deployments.rehearsal.cluster.objects import Json, labels_of
from deployments.rehearsal.cluster.registry import Resource

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_SERVICE: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_VALUE: Final = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_KEY: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_LENGTH: Final = 63
_SUBDOMAIN_LENGTH: Final = 253

_LABEL_TEXT: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    f"for validation is '{_LABEL}')"
)
_SUBDOMAIN_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN}')".replace("\\\\", "\\")
)
_SERVICE_TEXT: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    f"regex used for validation is '{_SERVICE}')"
)
_VALUE_TEXT: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    f"or '12345', regex used for validation is '{_VALUE}')"
)
_KEY_TEXT: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_KEY}')"
)
# Of these, names are labels; of the roles any name that can stand in a URL will do.
_LABELS: Final = frozenset({"namespaces"})
_FREE: Final = frozenset({"roles", "rolebindings", "clusterroles", "clusterrolebindings"})
_TOO_LONG: Final = "must be no more than {} bytes"


def check_name_of(resource: Resource, name: str) -> Iterator[Cause]:
    """Yield what is wrong with an object's name."""
    field = "metadata.name"
    if resource.plural in _FREE and resource.group == "rbac.authorization.k8s.io":
        if "/" in name or "%" in name or name in {".", ".."}:
            yield Cause.invalid(field, f'"{name}"', "may not contain '/'")
        return
    if resource.plural == "services" and not resource.group:
        pattern, text, length = _SERVICE, _SERVICE_TEXT, _LABEL_LENGTH
    elif resource.plural in _LABELS and not resource.group:
        pattern, text, length = _LABEL, _LABEL_TEXT, _LABEL_LENGTH
    else:
        pattern, text, length = _SUBDOMAIN, _SUBDOMAIN_TEXT, _SUBDOMAIN_LENGTH
    if len(name) > length:
        yield Cause.invalid(field, f'"{name}"', _TOO_LONG.format(length))
    if not re.fullmatch(pattern, name):
        yield Cause.invalid(field, f'"{name}"', text)


def label_causes(obj: Json, path: str) -> Iterator[Cause]:
    """Yield what is wrong with an object's labels."""
    field = f"{path}.labels"
    for key, value in labels_of(obj).items():
        if not re.fullmatch(_KEY, key.rpartition("/")[2]):
            yield Cause.invalid(field, f'"{key}"', _KEY_TEXT)
        if len(value) > _LABEL_LENGTH:
            yield Cause.invalid(field, f'"{value}"', _TOO_LONG.format(_LABEL_LENGTH))
        if not re.fullmatch(_VALUE, value):
            yield Cause.invalid(field, f'"{value}"', _VALUE_TEXT)
