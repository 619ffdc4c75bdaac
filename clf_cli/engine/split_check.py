"""Whether the splits that data bring leak: an image, its near duplicate or its group in two of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from clf_cli.data.checks import per_split
from clf_cli.data.draft import Draft
from clf_cli.data.samples import Sample
from clf_cli.engine.split_ties import Ties, tie_groups
from clf_cli.errors import UsageError
from clf_cli.values.progress import Progress, silent


@dataclass(frozen=True)
class Leak:
    """Rows of one cluster that lie in more than one split, and how the first is tied to one of another split."""

    rows: tuple[Sample, ...]
    reason: str

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(split for split, _ in per_split(self.rows))

    def to_json(self) -> dict[str, Any]:
        return {
            "splits": list(self.splits),
            "reason": self.reason,
            "images": [{"path": row.path, "label": row.label, "split": row.split} for row in self.rows],
        }


@dataclass(frozen=True)
class SplitCheckResult:
    """What was found of the data's own splits."""

    kind: ClassVar[str] = "split_check"

    images: dict[str, int]  # rows of each split, without those that are left out
    near_duplicates: bool  # whether they were looked for
    group_by: str | None
    leaks: tuple[Leak, ...]

    @property
    def passed(self) -> bool:
        return not self.leaks

    def to_result(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "images": self.images,
            "near_duplicates": self.near_duplicates,
            "group_by": self.group_by,
            "leaks": [leak.to_json() for leak in self.leaks],
        }


def check_split(
    draft: Draft, group_by: str | None, near_duplicates: bool, threads: int = 1, progress: Progress = silent
) -> SplitCheckResult:
    """Raises UsageError for data without splits."""
    if len(draft.splits) < 2:
        raise UsageError(
            f"{draft.root} brings no splits to check.", "clf split DATA --out FILE draws them; then check that FILE."
        )
    ties = tie_groups(draft, group_by, near_duplicates, threads, progress)
    found = (_leak(ties, members) for members in ties.clusters)
    counts = dict(per_split(draft.samples))
    return SplitCheckResult(counts, near_duplicates, group_by, tuple(leak for leak in found if leak))


def _leak(ties: Ties, members: Sequence[int]) -> Leak | None:
    rows = [ties.samples[index] for index in members]
    if len({row.split for row in rows}) < 2:
        return None
    first, *others = members
    across = [other for other in others if ties.samples[other].split != rows[0].split]
    reason = f"{rows[0].path} {ties.sentence(first, ties.nearest(first, ties.first_of(across)))}"
    ordered = tuple(row for split, _ in per_split(rows) for row in rows if row.split == split)
    return Leak(ordered, reason)
