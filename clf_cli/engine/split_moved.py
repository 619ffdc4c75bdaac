"""Images that a split puts elsewhere than before, and what moved each."""

from collections.abc import Sequence
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
        for index in members:
            earlier = settled[index]
            if earlier is not None and earlier != parts[index]:
                sample = ties.samples[index]
                reason = _reason(ties, index, members, settled, side)
                found[index] = Moved(sample.path, sample.label, earlier, parts[index], reason)
    return tuple(found[index] for index in sorted(found))


def _reason(ties: Ties, index: int, members: Sequence[int], settled: Sequence[str | None], side: str) -> str:
    if settled[index] == side:
        return f'train would have no image of class "{shown(ties.samples[index].label)}"'
    were_there = [other for other in members if settled[other] == side]
    others = were_there or [other for other in members if settled[other] != settled[index]]
    reason = f"it {ties.sentence(index, ties.nearest(index, others))}"
    new = [ties.samples[other].path for other in members if settled[other] is None]
    return f"{reason}; {new[0]} is new and joins them" if new and were_there else reason
