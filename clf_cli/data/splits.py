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
    clusters = _clusters(samples, hashes)
    drawn = [_draw(_key([samples[i] for i in members], hashes), seed) for members in clusters]
    sides = [_side(value, val_fraction, test_fraction) for value in drawn]
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


def _clusters(samples: Sequence[Sample], hashes: Mapping[str, str]) -> list[list[int]]:
    """Indices that belong together by content or group, each cluster in order."""
    parent = list(range(len(samples)))

    def top(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[Hashable, int] = {}
    for index, sample in enumerate(samples):
        ties: list[Hashable] = [("content", _content(sample, hashes))]
        if sample.group is not None:
            ties.append(("group", sample.group))
        for tie in ties:
            parent[top(index)] = top(first.setdefault(tie, index))
    clusters: dict[int, list[int]] = defaultdict(list)
    for index in range(len(samples)):
        clusters[top(index)].append(index)
    return list(clusters.values())


def _key(members: Iterable[Sample], hashes: Mapping[str, str]) -> tuple[str, ...]:
    """What a cluster's split depends on: its group, so that the group may grow; else class and content."""
    members = list(members)
    groups = [sample.group for sample in members if sample.group is not None]
    if groups:
        return ("group", min(groups))
    return min(("image", sample.label, _content(sample, hashes)) for sample in members)


def _content(sample: Sample, hashes: Mapping[str, str]) -> str:
    return hashes.get(sample.path) or sample.path  # a file that could not be read is told by its path


def _draw(key: tuple[str, ...], seed: int) -> float:
    """In [0, 1), uniform over keys; the same on every machine."""
    text = "\0".join((str(seed), *key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _side(drawn: float, val_fraction: float, test_fraction: float) -> str:
    if drawn < val_fraction:
        return "val"
    return "test" if drawn < val_fraction + test_fraction else "train"
