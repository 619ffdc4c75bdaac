"""Images that are nearly the same, and files of different bytes that hold the same pixels."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.data.likeness import Thumbnails, measure, near, small
from clf_cli.data.near_pairs import Pairs, candidate_pairs, components
from clf_cli.data.pixels import SIDE
from clf_cli.data.scan import CHUNK, FileFacts
from clf_cli.values.progress import Progress, silent

LEAST_STD = 4.0  # levels; images of less structure all look alike: only equal pixels link them
TINY = 4096  # bytes; files of so few on average are decoded in one thread: of 40 px images two take twice the CPU time
BLOCK = 8192  # images whose thumbnails, 3 kB each, are held at once

Clusters = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class NearDuplicates:
    """Paths that belong together: each cluster sorted, at least two contents in it, in the order of their first path.

    A file of the same bytes as a member is a member. Near duplicates link one to the next, so the ends of a long
    series, such as frames of a film, may differ more than two of its neighbours do.
    """

    clusters: Clusters  # nearly the same, or the same pixels
    same_pixels: Clusters  # the same decoded pixels in different bytes


def find_near_duplicates(
    root: Path,
    files: Mapping[str, FileFacts],
    paths: Sequence[str],
    threads: int = 1,
    progress: Progress = silent,
) -> NearDuplicates:
    """Among `paths` (keys of `files`, relative to `root`), which may come in any order; bad files are passed over.

    Candidates come from the hashes of the scan, and each pair is compared on its pixels, which are decoded again at a
    small size: rescaling, recompression, brightness and contrast do not part two images, mirroring and turning do.
    Images without structure are left out, but for those of equal pixels. A file that is gone by now has no duplicates.
    """
    contents = _contents(files, paths)
    firsts = [copies[0] for copies in contents]
    facts = [files[path] for path in firsts]
    if sum(fact.bytes for fact in facts) < TINY * len(facts):
        threads = 1
    same = _same_pixels(root, firsts, facts, threads)
    looked = [index for index, fact in enumerate(facts) if fact.pixels and max(fact.pixels.std) >= LEAST_STD]
    looked.sort(key=lambda index: (facts[index].pixels.hash, facts[index].pixels.mean))  # type: ignore[union-attr] # looked
    hashes = np.array([int(facts[index].pixels.hash, 16) for index in looked], dtype=np.uint64)  # type: ignore[union-attr] # looked
    pairs = np.array(looked, dtype=np.int64)[candidate_pairs(hashes)]
    alike = _verified(root, firsts, pairs, threads, progress)
    return NearDuplicates(_clusters(contents, np.concatenate([alike, same])), _clusters(contents, same))


def _contents(files: Mapping[str, FileFacts], paths: Iterable[str]) -> list[list[str]]:
    """Paths of each content that can be used, sorted."""
    contents: dict[str, list[str]] = defaultdict(list)
    for path in sorted(set(paths)):
        if files[path].pixels is not None:
            contents[files[path].content_hash].append(path)
    return list(contents.values())


def _clusters(contents: list[list[str]], links: Pairs) -> Clusters:
    members: dict[int, list[str]] = defaultdict(list)
    lowest = components(len(contents), links)
    for index in np.unique(links).tolist():
        members[int(lowest[index])] += contents[index]
    return tuple(sorted(tuple(sorted(paths)) for paths in members.values()))


def _same_pixels(root: Path, paths: list[str], facts: list[FileFacts], threads: int) -> Pairs:
    """Links (P, 2) between files of equal pixels; only those whose facts are equal are decoded."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for index, fact in enumerate(facts):
        groups[fact.width, fact.height, fact.pixels].append(index)
    asked = [index for group in groups.values() if len(group) > 1 for index in group]
    links: list[tuple[int, int]] = []
    first: dict[Any, int] = {}
    with ThreadPoolExecutor(max(1, threads)) as pool:
        digests = pool.map(lambda index: _digest(root / paths[index]), asked)
        for index, digest in zip(asked, digests, strict=True):
            if digest is not None:
                links.append((first.setdefault(digest, index), index))
    return np.array([link for link in links if link[0] != link[1]], dtype=np.int64).reshape(-1, 2)


def _digest(path: Path) -> tuple[tuple[int, int], bytes] | None:
    try:
        image = open_image(path)
    except UnreadableImageError:
        return None
    return image.size, hashlib.sha256(image.tobytes()).digest()


def _verified(root: Path, paths: list[str], pairs: Pairs, threads: int, progress: Progress) -> Pairs:
    """Those of `pairs` whose pixels are alike."""
    if not len(pairs):
        return pairs
    pairs, edges = _blocks(len(paths), pairs)
    measured = np.empty((len(pairs), 3), np.float32)
    thumbnails: dict[int, Thumbnails] = {}
    unseen = np.ones(len(paths), np.bool_)
    with ThreadPoolExecutor(max(1, threads)) as pool, progress("Comparing images", len(np.unique(pairs))) as advance:
        for start, end in pairwise(edges):
            together = pairs[start:end]
            needed, positions = np.unique(together, return_inverse=True)
            missing = [index for index in needed.tolist() if index not in thumbnails]
            thumbnails = {index: thumbnails[index] for index in needed.tolist() if index in thumbnails}
            chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
            for made in pool.map(lambda chunk: {index: _small(root / paths[index]) for index in chunk}, chunks):
                thumbnails |= made
            stacked = np.stack([thumbnails[index] for index in needed.tolist()])
            measured[start:end] = measure(stacked, positions.reshape(together.shape))
            advance(int(unseen[needed].sum()))
            unseen[needed] = False
    return pairs[near(len(paths), pairs, measured)]


def _small(path: Path) -> Thumbnails:
    """Black, which is like nothing, of a file that cannot be read any more."""
    try:
        return small(open_image(path))
    except UnreadableImageError:
        return np.zeros((SIDE, SIDE, 3), np.uint8)


def _blocks(count: int, pairs: Pairs) -> tuple[Pairs, list[int]]:
    """`pairs` in an order, and the edges of groups of at most 2 * BLOCK images in it; what is linked comes together, so
    that few are needed twice."""
    linked = components(count, pairs)
    images = np.unique(pairs)
    group = np.zeros(count, np.int32)
    group[images[np.argsort(linked[images], kind="stable")]] = np.arange(len(images)) // BLOCK
    ends = np.sort(group[pairs], axis=1)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    edges = np.flatnonzero(np.diff(ends[order], axis=0).any(axis=1)) + 1
    return pairs[order], [0, *edges.tolist(), len(pairs)]
