"""
Names for what a workload's pods are made from.

The hash is FNV-1a of canonical JSON, spelled with letters that make no words, as Kubernetes spells
it. Kubernetes hashes its own memory's layout, so the same template has another hash there.
"""

from typing import Final, cast

import msgspec

from deployments.rehearsal.cluster.objects import Json, labels_of, metadata_of

TEMPLATE_HASH: Final = "pod-template-hash"
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_OFFSET, _PRIME = 0x811C9DC5, 0x01000193


def hash_of(value: object, collisions: int = 0) -> str:
    """Return the name of a value; another one after each collision."""
    text = msgspec.json.encode([tidied(value), collisions], order="deterministic")
    number = _OFFSET
    for byte in text:
        number = ((number ^ byte) * _PRIME) & 0xFFFFFFFF
    return "".join(_LETTERS[ord(digit) % len(_LETTERS)] for digit in str(number))


def tidied(value: object) -> object:
    """Return JSON without what says nothing: null, and empty lists, labels and annotations."""
    if isinstance(value, dict):
        parts = {name: tidied(one) for name, one in cast("Json", value).items()}
        return {name: one for name, one in parts.items() if not _says_nothing(name, one)}
    if isinstance(value, list):
        return [tidied(one) for one in cast("list[object]", value)]
    return value


def _says_nothing(name: str, value: object) -> bool:
    # An empty object says something in other places: a volume's emptyDir is one.
    return (
        value is None
        or value == []
        or (value == {} and name in {"labels", "annotations", "metadata", "nodeSelector"})
    )


def same_template(one: Json, other: Json) -> bool:
    """Say whether two pod templates differ in nothing but the hash that a ReplicaSet adds."""
    return _bare(one) == _bare(other)


def _bare(template: Json) -> object:
    metadata = metadata_of(template)
    labels = dict(labels_of(template))
    labels.pop(TEMPLATE_HASH, None)
    return tidied(template | {"metadata": metadata | {"labels": labels}})
