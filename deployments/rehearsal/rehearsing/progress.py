"""How far the proxies are, as rows and as a sentence. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Counts = Mapping[str, Mapping[str, int]]
_ISTIODS: Final = "istiod"
_MOST_ROWS: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One namespace."""

    name: str
    counts: Mapping[str, int]

    def share(self, revision: str) -> float:
        total = sum(self.counts.values())
        return self.counts.get(revision, 0) / total if total else 0.0


@dataclass(slots=True)
class Progress:
    """The proxies of a cluster, by namespace and revision."""

    old: str
    new: str
    _counts: dict[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])

    def take(self, changed: Counts) -> None:
        """Note what has changed."""
        for name, counts in changed.items():
            self._counts[name] = dict(counts)

    @property
    def istiods(self) -> Mapping[str, int]:
        """Ready istiods by revision."""
        return self._counts.get(_ISTIODS, {})

    def total(self) -> Mapping[str, int]:
        """Return the proxies of the whole cluster by revision."""
        found: dict[str, int] = {}
        for row in self._rows():
            for revision, number in row.counts.items():
                found[revision] = found.get(revision, 0) + number
        return found

    def rows(self) -> tuple[list[Row], int]:
        """Return the namespaces to show, and how many are left out; those that move come first."""
        found = self._rows()
        if len(found) <= _MOST_ROWS:
            return found, 0
        found.sort(key=lambda row: (self._is_still(row), row.name))
        return found[:_MOST_ROWS], len(found) - _MOST_ROWS

    def sentence(self) -> str:
        """Say it in a line."""
        total = self.total()
        by_revision = ", ".join(f"{total[one]} on {one}" for one in self._ordered(total))
        istiods = ", ".join(self._ordered(self.istiods)) or "none"
        return f"proxies: {by_revision or 'none'}; istiod: {istiods}"

    def _rows(self) -> list[Row]:
        # The reader of the cluster's words may be adding a namespace meanwhile.
        counted = sorted(dict(self._counts).items())
        return [
            Row(name=name, counts=counts) for name, counts in counted if name != _ISTIODS and counts
        ]

    def _is_still(self, row: Row) -> bool:
        return row.share(self.new) in {0.0, 1.0}

    def _ordered(self, counts: Mapping[str, int]) -> list[str]:
        first = [one for one in (self.old, self.new) if one in counts]
        return [*first, *sorted(set(counts) - set(first))]
