"""Which rows of a data set must not be parted: equal files, near duplicates, groups."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clf_cli.data.draft import Draft
from clf_cli.data.groups import grouped
from clf_cli.data.near_duplicates import find_near_duplicates
from clf_cli.data.samples import Sample
from clf_cli.data.splits import clusters_of, content_of
from clf_cli.values.progress import Progress, silent


@dataclass(frozen=True)
class Ties:
    """Rows with their groups, and the clusters that they form."""

    samples: tuple[Sample, ...]
    hashes: Mapping[str, str]  # by path
    alike: tuple[tuple[str, ...], ...]  # paths of near duplicates
    clusters: tuple[tuple[int, ...], ...]  # indices; every row is in one

    def sentence(self, index: int, other: int) -> str:
        """What ties a row to another one of its cluster: directly, or through others."""
        theirs = self._of(other)
        said = (words for tie, words in self._of(index).items() if tie in theirs)
        return f"{next(said, 'is tied through others to')} {self.samples[other].path}"

    def first_of(self, indices: Iterable[int]) -> Mapping[Hashable, int]:
        """Of each tie the first row that has it: what `nearest` asks, so that it need not look at all of them."""
        first: dict[Hashable, int] = {}
        for index in indices:
            for tie in self._of(index):
                first.setdefault(tie, index)
        return first

    def nearest(self, index: int, first: Mapping[Hashable, int]) -> int:
        """The first of the rows of `first` that the row is tied to directly, else the first of all."""
        return min((first[tie] for tie in self._of(index) if tie in first), default=next(iter(first.values())))

    def files(self, members: Sequence[int]) -> int:
        """Different files of a cluster."""
        return len({self.samples[index].path for index in members})

    def _of(self, index: int) -> dict[Hashable, str]:
        """Everything that the row may share with others, the closest first, and how that is said."""
        row = self.samples[index]
        ties: dict[Hashable, str] = {("file", row.path): "is the same file as"}
        ties["content", content_of(row, self.hashes)] = "holds the same bytes as"
        ties |= dict.fromkeys(self._near.get(row.path, ()), "is nearly")
        return ties if row.group is None else {**ties, ("group", row.group): "is of one group with"}

    @cached_property
    def _near(self) -> Mapping[str, list[int]]:
        """The clusters of near duplicates that each path is in."""
        found: dict[str, list[int]] = defaultdict(list)
        for number, paths in enumerate(self.alike):
            for path in paths:
                found[path].append(number)
        return found


def tie(
    draft: Draft, samples: Sequence[Sample], near_duplicates: bool, threads: int = 1, progress: Progress = silent
) -> Ties:
    """`samples` of `draft`, tied by content, by their groups, and as near duplicates if asked."""
    hashes = {path: facts.content_hash for path, facts in draft.files.items()}
    alike: tuple[tuple[str, ...], ...] = ()
    if near_duplicates:
        paths = [sample.path for sample in samples]
        alike = find_near_duplicates(draft.root, draft.files, paths, threads, progress).clusters
    clusters = clusters_of(samples, hashes, alike)
    return Ties(tuple(samples), hashes, alike, tuple(tuple(members) for members in clusters))


def tie_groups(
    draft: Draft, group_by: str | None, near_duplicates: bool, threads: int = 1, progress: Progress = silent
) -> Ties:
    """The rows of `draft` with the groups that `group_by` gives them; without it their own key `group` does.

    Raises UsageError for a `group_by` that groups nothing.
    """
    samples = grouped(draft.samples, group_by) if group_by else draft.samples
    return tie(draft, samples, near_duplicates, threads, progress)
