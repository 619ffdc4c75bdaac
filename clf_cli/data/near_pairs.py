"""Which images may be nearly the same: 64-bit hashes that differ in few bits, without comparing all with all."""

from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

RADIUS = 8  # bits that may differ; half of the bits are set in every hash, so that differences are even
BLOCKS, EQUAL = (
    9,
    3,
)  # two hashes that differ in 6 bits agree in at least three of nine blocks; in 8 bits, in most cases
WINDOW = 128  # hashes that share three blocks are compared with so many of those that follow in their order
_KEPT = 1 << 22  # pairs that are held before repeats are dropped

Hashes = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]


def candidate_pairs(hashes: Hashes) -> Pairs:
    """(P, 2) indices i < j, in order, of `hashes` (N,) that differ in at most RADIUS bits.

    The hashes are sorted once for each choice of EQUAL blocks (84), and compared with their neighbours there: N log N
    time, and memory by N and the pairs that are found. All pairs of at most 6 bits are found, unless more than WINDOW
    hashes share three blocks: then the nearest in order are compared, which still links what lies close together.
    """
    found = [np.empty(0, np.int64)]
    held = 0
    for mask in _masks():
        codes = _pairs_under(hashes, mask)
        found.append(codes)
        held += len(codes)
        if held > _KEPT:
            found = [np.unique(np.concatenate(found))]
            held = len(found[0]) // 2
    codes = np.unique(np.concatenate(found))
    return np.stack(np.divmod(codes, max(1, len(hashes))), axis=1)


def components(count: int, pairs: Pairs) -> Pairs:
    """(count,) the smallest index that each is linked to by `pairs` (P, 2), directly or through others."""
    lowest = np.arange(count)
    while len(pairs):
        ends = lowest[pairs]
        np.minimum.at(lowest, ends.ravel(), np.repeat(ends.min(axis=1), 2))
        lowest = lowest[lowest]
        pairs = pairs[lowest[pairs[:, 0]] != lowest[pairs[:, 1]]]
    while not np.array_equal(lowest, lowest[lowest]):
        lowest = lowest[lowest]
    return lowest


def _masks() -> list[np.uint64]:
    edges = [round(64 * block / BLOCKS) for block in range(BLOCKS + 1)]
    blocks = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return [np.uint64(sum(chosen)) for chosen in combinations(blocks, EQUAL)]


def _pairs_under(hashes: Hashes, mask: np.uint64) -> Pairs:
    """i * N + j of the pairs whose bits under `mask` are equal; the order of the hashes decides who are neighbours."""
    keys = hashes & mask
    order = np.argsort(keys, kind="stable")
    keys, hashes = keys[order], hashes[order]
    found = [np.empty(0, np.int64)]
    first = np.arange(len(keys) - 1)
    for step in range(1, WINDOW + 1):
        first = first[: np.searchsorted(first, len(keys) - step)]
        first = first[keys[first] == keys[first + step]]
        if not len(first):
            break
        near = first[_set_bits(hashes[first] ^ hashes[first + step]) <= RADIUS]
        one, other = order[near], order[near + step]
        found.append(np.minimum(one, other) * len(keys) + np.maximum(one, other))
    return np.concatenate(found)


def _set_bits(values: Hashes) -> Hashes:
    """numpy.bitwise_count, which numpy 1 lacks."""
    pairs = values - ((values >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bytes_ = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bytes_ * np.uint64(0x0101010101010101)) >> np.uint64(56)
