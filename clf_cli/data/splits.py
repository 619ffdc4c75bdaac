"""Which split an image falls into: a fixed function of seed, class and content hash; adding images moves none."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from clf_cli.data.samples import Sample


@dataclass(frozen=True)
class Assignment:
    """The split of each sample, in their order, and the classes that stayed whole in train."""

    splits: tuple[str, ...]
    kept_in_train: tuple[str, ...]


def assign_splits(
    samples: Sequence[Sample], hashes: Mapping[str, str], seed: int, val_fraction: float, test_fraction: float
) -> Assignment:
    """Splits that hold the shares in expectation; `hashes` gives content hashes by path.

    Equal files and equal groups stay on one side. A class of which nothing would be left to train on stays in train,
    with whatever its images are bound to. The fractions are shares of all images and sum to less than 1.
    """
    clusters = clusters_of(samples, hashes)
    drawn = [draw(samples, members, hashes, seed) for members in clusters]
    sides = [side_of(value, val_fraction, test_fraction) for value in drawn]
    return train_has_every_class(samples, clusters, sides)


def train_has_every_class(
    samples: Sequence[Sample], clusters: Sequence[Sequence[int]], sides: Sequence[str]
) -> Assignment:
    """The side of each cluster as the split of its members, but for classes of which train would have nothing."""
    labels = [{samples[i].label for i in members} for members in clusters]
    trained = {label for side, found in zip(sides, labels, strict=True) if side == "train" for label in found}
    missing = {sample.label for sample in samples} - trained
    result = [""] * len(samples)
    for members, side, found in zip(clusters, sides, labels, strict=True):
        for index in members:
            result[index] = "train" if found & missing else side
    return Assignment(tuple(result), tuple(sorted(missing)))


def subset(samples: Sequence[Sample], hashes: Mapping[str, str], seed: int, share: float) -> tuple[Sample, ...]:
    """The same share of every class, at least one image of each, in the order of `samples`.

    A pure function of seed and content hash: a larger share holds every image of a smaller one.
    """
    classes: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        classes[sample.label].append(index)
    kept: set[int] = set()
    for members in classes.values():
        ranked = sorted(members, key=lambda i: (_draw(("subset", hashes[samples[i].path]), seed), samples[i].path, i))
        kept.update(ranked[: max(1, round(share * len(members)))])
    return tuple(sample for index, sample in enumerate(samples) if index in kept)


def clusters_of(
    samples: Sequence[Sample], hashes: Mapping[str, str], alike: Iterable[Iterable[str]] = ()
) -> list[list[int]]:
    """Indices that belong together by content, group, or as one of the sets of paths `alike`; each cluster in order."""
    parent = list(range(len(samples)))

    def top(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    sets: dict[str, list[int]] = defaultdict(list)
    for number, paths in enumerate(alike):
        for path in paths:
            sets[path].append(number)
    first: dict[Hashable, int] = {}
    for index, sample in enumerate(samples):
        ties: list[Hashable] = [("content", content_of(sample, hashes)), *sets.get(sample.path, ())]
        if sample.group is not None:
            ties.append(("group", sample.group))
        for tie in ties:
            parent[top(index)] = top(first.setdefault(tie, index))
    clusters: dict[int, list[int]] = defaultdict(list)
    for index in range(len(samples)):
        clusters[top(index)].append(index)
    return list(clusters.values())


def draw(
    samples: Sequence[Sample],
    members: Iterable[int],
    hashes: Mapping[str, str],
    seed: int,
    purpose: tuple[str, ...] = (),
) -> float:
    """Where a cluster falls in [0, 1); another `purpose` draws independently of the first."""
    return _draw((*purpose, *_key([samples[i] for i in members], hashes)), seed)


def side_of(drawn: float, val_fraction: float, test_fraction: float) -> str:
    """The split that a draw falls into: val comes first, so that a test share takes nothing from it."""
    if drawn < val_fraction:
        return "val"
    return "test" if drawn < val_fraction + test_fraction else "train"


def content_of(sample: Sample, hashes: Mapping[str, str]) -> str:
    """What tells its image from others; a file that could not be read is told by its path."""
    return hashes.get(sample.path) or sample.path


def _key(members: Iterable[Sample], hashes: Mapping[str, str]) -> tuple[str, ...]:
    """What a cluster's split depends on: its group, so that the group may grow; else class and content."""
    members = list(members)
    groups = [sample.group for sample in members if sample.group is not None]
    if groups:
        return ("group", min(groups))
    return min(("image", sample.label, content_of(sample, hashes)) for sample in members)


def _draw(key: tuple[str, ...], seed: int) -> float:
    """In [0, 1), uniform over keys; the same on every machine."""
    text = "\0".join((str(seed), *key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
