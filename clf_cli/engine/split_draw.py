"""Where new images fall: drawn one by one, or so that every class is shared out evenly."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clf_cli.data.checks import split_rank
from clf_cli.data.splits import draw, side_of
from clf_cli.engine.split_ties import Ties
from clf_cli.settings.data_sections import SplitSection

FOLD = "fold-"


@dataclass(frozen=True)
class SplitPolicy:
    """What decides a split beside the images: a manifest keeps it, so that the next one is made in the same way."""

    section: SplitSection
    seed: int
    val_fraction: float
    test_fraction: float
    near_duplicates: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "val_fraction": self.val_fraction,
            "test_fraction": self.test_fraction,
            "folds": self.section.folds,
            "group_by": self.section.group_by,
            "near_duplicates": self.near_duplicates,
            "redraw": self.section.redraw,
            "stratify": self.section.stratify,
        }


def draw_parts(ties: Ties, sides: Sequence[str | None], policy: SplitPolicy, own: Sequence[str]) -> list[str]:
    """The part of each cluster: `sides`, and those that are None drawn. `own` are the splits that the data bring.

    A draw is a function of seed, class and content alone. With --stratify it decides only the order in which clusters,
    the larger ones first, go to the part that lacks most of their classes: the shares then hold in every class.
    """
    test_fraction = 0.0 if {"val", "test"} & set(own) else policy.test_fraction
    if policy.section.stratify:
        return _stratified(ties, sides, policy, _shares(policy, test_fraction))
    return [
        _drawn(ties, members, policy, test_fraction) if side is None else side
        for members, side in zip(ties.clusters, sides, strict=True)
    ]


def rank_of_part(part: str) -> tuple[int, int]:
    """train, the folds by number, val, test."""
    return (0, int(part.removeprefix(FOLD))) if part.startswith(FOLD) else (split_rank(part), 0)


def _drawn(ties: Ties, members: Sequence[int], policy: SplitPolicy, test_fraction: float) -> str:
    side = side_of(draw(ties.samples, members, ties.hashes, policy.seed), policy.val_fraction, test_fraction)
    if policy.section.folds is None or side == "test":
        return side
    fold = int(draw(ties.samples, members, ties.hashes, policy.seed, ("fold",)) * policy.section.folds)
    return f"{FOLD}{fold + 1}"


def _shares(policy: SplitPolicy, test_fraction: float) -> dict[str, float]:
    """The share of each part that is drawn."""
    folds = policy.section.folds
    if folds is None:
        shares = {"train": 1 - policy.val_fraction - test_fraction, "val": policy.val_fraction}
    else:
        shares = {f"{FOLD}{number}": (1 - test_fraction) / folds for number in range(1, folds + 1)}
    return {part: share for part, share in {**shares, "test": test_fraction}.items() if share > 0}


def _stratified(ties: Ties, sides: Sequence[str | None], policy: SplitPolicy, shares: Mapping[str, float]) -> list[str]:
    labels = [Counter(ties.samples[index].label for index in members) for members in ties.clusters]
    drawn = [number for number, side in enumerate(sides) if side is None or side in shares]
    room = _Room(shares, [labels[number] for number in drawn])
    for side, found in zip(sides, labels, strict=True):
        if side in shares:
            room.place(str(side), found)
    free = [number for number, side in enumerate(sides) if side is None]
    order = {number: draw(ties.samples, ties.clusters[number], ties.hashes, policy.seed) for number in free}
    result = list(sides)
    for number in sorted(free, key=lambda number: (-labels[number].total(), order[number])):
        result[number] = room.best(labels[number])
        room.place(str(result[number]), labels[number])
    return [str(part) for part in result]


class _Room:
    """Images that each part still lacks, of each class and in all."""

    def __init__(self, shares: Mapping[str, float], clusters: Sequence[Counter[str]]) -> None:
        self._classes: Counter[str] = Counter()
        for found in clusters:
            self._classes.update(found)
        self._of_class = {
            part: {name: share * n for name, n in self._classes.items()} for part, share in shares.items()
        }
        self._in_all = {part: share * self._classes.total() for part, share in shares.items()}

    def place(self, part: str, found: Counter[str]) -> None:
        self._in_all[part] -= found.total()
        for name, count in found.items():
            self._of_class[part][name] -= count

    def best(self, found: Counter[str]) -> str:
        """The part that lacks most of these classes, each weighed by its own size; then the one that lacks most."""

        def lack(part: str) -> tuple[float, float]:
            of_class = sum(n * self._of_class[part][name] / self._classes[name] for name, n in sorted(found.items()))
            return round(of_class, 9), round(self._in_all[part], 9)

        return max(self._in_all, key=lack)
