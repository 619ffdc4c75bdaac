"""Which rows of a data set must not be parted: equal files, near duplicates, groups."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
        return f"{self._tie(index, other) or 'is tied through others to'} {self.samples[other].path}"

    def nearest(self, index: int, others: Sequence[int]) -> int:
        """The first of `others` that the row is tied to directly, else the first."""
        return next((other for other in others if self._tie(index, other)), others[0])

    def files(self, members: Sequence[int]) -> int:
        """Different files of a cluster."""
        return len({self.samples[index].path for index in members})

    def _tie(self, index: int, other: int) -> str | None:
        one, two = self.samples[index], self.samples[other]
        if one.path == two.path:
            return "is the same file as"
        if content_of(one, self.hashes) == content_of(two, self.hashes):
            return "holds the same bytes as"
        if set(self._near.get(one.path, ())) & set(self._near.get(two.path, ())):
            return "is nearly"
        return "is of one group with" if one.group is not None and one.group == two.group else None

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
