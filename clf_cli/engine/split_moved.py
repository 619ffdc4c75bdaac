"""Images that a split puts elsewhere than before, and what moved each."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clf_cli.engine.split_ties import Ties
from clf_cli.values.labels import shown


@dataclass(frozen=True)
class Moved:
    """A row whose part is another than an earlier split, or the data's own, gave it."""

    path: str
    label: str
    earlier: str
    now: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "label": self.label, "from": self.earlier, "to": self.now, "reason": self.reason}


def moved_rows(
    ties: Ties, settled: Sequence[str | None], sides: Sequence[str], parts: Sequence[str]
) -> tuple[Moved, ...]:
    """In the order of the rows: `settled` is where they were, `sides` the part of each cluster, `parts` of each row.

    A row's part differs from its cluster's where train would else lack its class.
    """
    found = {}
    for members, side in zip(ties.clusters, sides, strict=True):
        away: dict[str, tuple[Mapping[Hashable, int], str]] = {}
        for index in members:
            earlier, sample = settled[index], ties.samples[index]
            if earlier is None or earlier == parts[index]:
                continue
            if earlier == side:
                reason = f'train would have no image of class "{shown(sample.label)}"'
            else:
                if earlier not in away:
                    away[earlier] = _pulling(ties, members, settled, side, earlier)
                others, joined = away[earlier]
                reason = f"it {ties.sentence(index, ties.nearest(index, others))}{joined}"
            found[index] = Moved(sample.path, sample.label, earlier, parts[index], reason)
    return tuple(found[index] for index in sorted(found))


def _pulling(
    ties: Ties, members: Sequence[int], settled: Sequence[str | None], side: str, earlier: str
) -> tuple[Mapping[Hashable, int], str]:
    """The rows that pull those of `earlier` to `side`, as `first_of` gives them, and what to say of a new one."""
    were_there = [index for index in members if settled[index] == side]
    first = ties.first_of(were_there or [index for index in members if settled[index] != earlier])
    new = next((ties.samples[index].path for index in members if settled[index] is None), None)
    return first, f"; {new} is new and joins them" if new and were_there else ""
