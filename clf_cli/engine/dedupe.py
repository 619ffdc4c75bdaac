"""One copy of each image: which one stays, and why."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from clf_cli.data.draft import Draft
from clf_cli.data.samples import SPLITS, Sample
from clf_cli.engine.split_ties import Ties, tie
from clf_cli.values.labels import shown
from clf_cli.values.progress import Progress, silent

_LATER_FIRST = {split: rank for rank, split in enumerate(reversed(SPLITS))}


@dataclass(frozen=True)
class Dropped:
    """A row that the new manifest does not have: which copy of it stays, and what decided between the two."""

    row: Sample
    kept: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        row = self.row
        return {"path": row.path, "label": row.label, "split": row.split, "kept": self.kept, "reason": self.reason}


@dataclass(frozen=True)
class DedupeResult:
    """Rows that stay, in their order, and those that do not."""

    kind: ClassVar[str] = "dedupe"

    kept: tuple[Sample, ...]
    dropped: tuple[Dropped, ...]
    conflicts: tuple[tuple[Sample, ...], ...]  # copies under several labels, which all stay
    near_duplicates: bool
    file: str | None = None  # the manifest that was written

    def to_result(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "near_duplicates": self.near_duplicates,
            "kept": len(self.kept),
            "dropped": [row.to_json() for row in self.dropped],
            "conflicts": [[{"path": row.path, "label": row.label} for row in rows] for rows in self.conflicts],
        }


def dedupe(draft: Draft, near_duplicates: bool, threads: int = 1, progress: Progress = silent) -> DedupeResult:
    """Of each cluster of copies the row that stays; `draft` has every row, bad images among them, which all stay.

    Test wins over val and val over train, so that scores stay comparable, unless train would lose a class; then more
    pixels, more bytes, the first path. Copies under several labels all stay: nobody can say which is right.
    """
    usable = [replace(row, group=None) for row in draft.samples if draft.files[row.path].error is None]
    ties = tie(draft, usable, near_duplicates, threads, progress)
    clusters = [members for members in ties.clusters if len(members) > 1]
    same_label = [members for members in clusters if len({ties.samples[index].label for index in members}) == 1]
    winners = [_best(draft, ties, members) for members in same_label]
    winners = _with_every_class(draft, ties, same_label, winners)
    dropped = {
        index: Dropped(ties.samples[index], ties.samples[winner].path, _reason(draft, ties, index, winner))
        for winner, members in zip(winners, same_label, strict=True)
        for index in members
        if index != winner
    }
    positions = [at for at, row in enumerate(draft.samples) if draft.files[row.path].error is None]
    gone = {positions[index] for index in dropped}
    agreed = set(same_label)
    return DedupeResult(
        kept=tuple(row for at, row in enumerate(draft.samples) if at not in gone),
        dropped=tuple(dropped[index] for index in sorted(dropped)),
        conflicts=tuple(
            tuple(ties.samples[index] for index in members) for members in clusters if members not in agreed
        ),
        near_duplicates=near_duplicates,
    )


def _with_every_class(draft: Draft, ties: Ties, clusters: Sequence[Sequence[int]], winners: Sequence[int]) -> list[int]:
    """The winners, but the best one in train for classes of which no train row would stay."""
    stays = Counter(row.label for row in ties.samples if row.split == "train")
    for members, winner in zip(clusters, winners, strict=True):
        for index in members:
            stays[ties.samples[index].label] -= ties.samples[index].split == "train" and index != winner
    lost = {label for label, count in stays.items() if not count}
    return [
        _best(draft, ties, [index for index in members if ties.samples[index].split == "train"] or members)
        if ties.samples[winner].label in lost
        else winner
        for members, winner in zip(clusters, winners, strict=True)
    ]


def _best(draft: Draft, ties: Ties, members: Sequence[int]) -> int:
    return min(members, key=lambda index: _rank(draft, ties.samples[index]))


def _rank(draft: Draft, row: Sample) -> tuple[int, int, int, str]:
    facts = draft.files[row.path]
    return _LATER_FIRST.get(row.split or "", 0), -facts.width * facts.height, -facts.bytes, row.path


def _reason(draft: Draft, ties: Ties, index: int, winner: int) -> str:
    """How the two are tied, and the first of the rules that tells them apart."""
    loser, kept = ties.samples[index], ties.samples[winner]
    one, two = draft.files[loser.path], draft.files[kept.path]
    if loser.split != kept.split:
        forced = _rank(draft, kept) > _rank(draft, loser)
        why = f"which is in {kept.split}" + (f', where class "{shown(kept.label)}" has no other' if forced else "")
    elif one.width * one.height != two.width * two.height:
        why = f"which is larger, {two.width} x {two.height} and not {one.width} x {one.height} pixels"
    elif one.bytes != two.bytes:
        why = f"which has more bytes, {two.bytes} and not {one.bytes}"
    else:
        why = "which comes first"
    return f"{ties.sentence(index, winner)}, {why}"
