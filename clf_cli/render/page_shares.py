"""How many images each class has, as bars of the page about a run."""

from collections.abc import Mapping
from dataclasses import dataclass

from clf_cli.engine.stored_reports import DataFacts
from clf_cli.render.text import label

WHOLE = 80  # classes; of more, the largest and the smallest ENDS are shown
ENDS = 25


@dataclass(frozen=True)
class ShareRow:
    """`parts` are (left, width) of each split in percent of the widest bar."""

    name: str
    total: int
    parts: tuple[tuple[float, float], ...]
    title: str


@dataclass(frozen=True)
class Shares:
    """Classes by their images, most first; None stands for those in between, `hidden` in number."""

    splits: tuple[str, ...]
    rows: tuple[ShareRow | None, ...]
    hidden: int


def shares(data: DataFacts) -> Shares:
    """The bars of all classes, or of the two ends of a long list."""
    splits = tuple(data.splits)
    totals = {name: sum(counts.values()) for name, counts in data.counts.items()}
    names = sorted(totals, key=lambda name: -totals[name])
    widest = max(totals.values(), default=0) or 1
    hidden = len(names) - 2 * ENDS if len(names) > WHOLE else 0
    shown: list[str | None] = [*names[:ENDS], None, *names[-ENDS:]] if hidden else list(names)
    return Shares(
        splits, tuple(None if name is None else _row(name, data.counts[name], splits, widest) for name in shown), hidden
    )


def _row(name: str, counts: Mapping[str, int], splits: tuple[str, ...], widest: int) -> ShareRow:
    widths = [100 * counts.get(split, 0) / widest for split in splits]
    lefts = [sum(widths[:position]) for position in range(len(widths))]
    return ShareRow(
        name=label(name, 30),
        total=sum(counts.values()),
        parts=tuple(zip(lefts, widths, strict=True)),
        title=", ".join(f"{counts.get(split, 0):,} {split or 'all'}" for split in splits),
    )
