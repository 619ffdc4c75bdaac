"""Which split each image gets, so that no image, near duplicate or group is in two."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from clf_cli.data.checks import Left
from clf_cli.data.draft import Draft
from clf_cli.data.samples import Sample
from clf_cli.data.splits import Assignment, train_has_every_class
from clf_cli.engine.split_draw import FOLD, SplitPolicy, draw_parts, rank_of_part
from clf_cli.engine.split_moved import Moved, moved_rows
from clf_cli.engine.split_ties import Ties, tie_groups
from clf_cli.errors import DataError, UsageError
from clf_cli.values.labels import Labels
from clf_cli.values.progress import Progress, silent


@dataclass(frozen=True)
class SplitResult:
    """A split of all usable rows, or one for each fold; `assignments` are in the order of `samples`."""

    kind: ClassVar[str] = "split"

    policy: SplitPolicy
    samples: tuple[Sample, ...]  # as the data list them, with the groups and splits that they bring
    assignments: tuple[Assignment, ...]
    tied: tuple[int, ...]  # (clusters,) files of each cluster that holds more than one
    moved: tuple[Moved, ...]
    known: int  # rows that an earlier manifest names
    left: tuple[Left, ...]  # rows that no part has
    files: tuple[str, ...] = ()  # the manifests that were written, one for each assignment

    @property
    def labels(self) -> Labels:
        return Labels.of(sample.label for sample in self.samples)

    @property
    def kept_in_train(self) -> tuple[str, ...]:
        """Classes with too few images to be split, or for every fold to hold some."""
        return tuple(sorted({label for assignment in self.assignments for label in assignment.kept_in_train}))

    def counts(self) -> dict[str, Counter[str]]:
        """Images of each class in each part, in order; parts without an image are left out."""
        parts = parts_of(self.assignments, self.policy.section.folds)
        counts: dict[str, Counter[str]] = {part: Counter() for part in sorted(set(parts), key=rank_of_part)}
        for sample, part in zip(self.samples, parts, strict=True):
            counts[part][sample.label] += 1
        return counts

    def to_result(self) -> dict[str, Any]:
        counts = self.counts()
        return {
            "files": list(self.files),
            "policy": self.policy.to_json(),
            "images": len(self.samples),
            "parts": {part: count.total() for part, count in counts.items()},
            "classes": [
                {"class": label, "counts": {part: count[label] for part, count in counts.items()}}
                for label in self.labels
            ],
            "kept_in_train": list(self.kept_in_train),
            "tied": {"clusters": len(self.tied), "images": sum(self.tied)},
            "earlier": self.known,
            "moved": [row.to_json() for row in self.moved],
            "left_out": [
                {"path": left.sample.path, "label": left.sample.label, "reason": left.reason} for left in self.left
            ],
        }


def plan_split(
    draft: Draft, policy: SplitPolicy, earlier: Mapping[str, str], threads: int = 1, progress: Progress = silent
) -> SplitResult:
    """Splits the rows of `draft`, whose images are checked; `earlier` is the part of paths that have been split before.

    A cluster goes where most of its rows were: by `earlier`, else by the data's own splits unless --redraw. Others are
    drawn by seed, class and content. Raises UsageError for a --group-by that groups nothing, and for data that bring
    splits without train; DataError without rows.
    """
    folds = policy.section.folds
    own = () if policy.section.redraw else draft.splits
    if own and "train" not in own:
        raise UsageError(f"{draft.root} brings splits, but no train.", "Add --redraw to split all of it anew.")
    if not draft.samples:
        raise DataError(f"No image of {draft.root} is left to split.", "Leave fewer out.")
    ties = tie_groups(draft, policy.section.group_by, policy.near_duplicates, threads, progress)
    sides, settled = _sides(ties, policy, own, earlier)
    assignments = tuple(train_has_every_class(ties.samples, ties.clusters, each) for each in _each_fold(sides, folds))
    files = [ties.files(members) for members in ties.clusters]
    return SplitResult(
        policy=policy,
        samples=draft.samples,
        assignments=assignments,
        tied=tuple(count for count in files if count > 1),
        moved=moved_rows(ties, settled, sides, parts_of(assignments, folds)),
        known=sum(sample.path in earlier for sample in draft.samples),
        left=tuple(draft.left),
    )


def parts_of(assignments: Sequence[Assignment], folds: int | None) -> list[str]:
    """The split of each row; with folds the one that it validates in, or test, or train where it validates in none."""
    if folds is None:
        return list(assignments[0].splits)
    parts = []
    for splits in zip(*(assignment.splits for assignment in assignments), strict=True):
        validates = (f"{FOLD}{number}" for number, split in enumerate(splits, start=1) if split == "val")
        parts.append(next(validates, "test" if "test" in splits else "train"))
    return parts


def _sides(
    ties: Ties, policy: SplitPolicy, own: Sequence[str], earlier: Mapping[str, str]
) -> tuple[list[str], list[str | None]]:
    """The part of each cluster, and where each row was; None for rows that are new, or that training would draw."""
    drawn_again = policy.section.folds is not None or "val" not in own
    sides: list[str | None] = []
    settled: list[str | None] = [None] * len(ties.samples)
    for members in ties.clusters:
        known = {index: earlier.get(ties.samples[index].path) for index in members}
        found = {index: part or (ties.samples[index].split if own else None) for index, part in known.items()}
        side = _most(part for part in known.values() if part) or _most(part for part in found.values() if part)
        if side == "train" and drawn_again and not any(known.values()):
            side = None
            found = {index: part for index, part in found.items() if part == "test"}
        for index, part in found.items():
            settled[index] = part
        sides.append(side)
    return draw_parts(ties, sides, policy, own), settled


def _most(parts: Iterable[str]) -> str | None:
    """The most frequent, the first in order among equals; None of nothing."""
    votes = Counter(parts)
    return min(votes, key=lambda part: (-votes[part], rank_of_part(part))) if votes else None


def _each_fold(sides: Sequence[str], folds: int | None) -> list[list[str]]:
    """The split of each cluster, for every fold."""
    if folds is None:
        return [list(sides)]
    names = [f"{FOLD}{number}" for number in range(1, folds + 1)]
    return [["test" if side == "test" else "val" if side == name else "train" for side in sides] for name in names]
