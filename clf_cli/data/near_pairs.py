"""Which images may be nearly the same: 64-bit hashes that differ in few bits, without comparing all with all."""

from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

RADIUS = 8  # bits that may differ; half of the bits are set in every hash, so that differences are even
BLOCKS, EQUAL = (
    9,
    3,
)  # two hashes that differ in 6 bits agree in at least three of nine blocks; in 8 bits, in most cases
WINDOW = 32  # hashes that share three blocks are compared with so many of those that follow in their order
ENOUGH = 64  # pairs of a hash; two that both have so many are not paired any more
STAND = 4  # images of one hash, spread over all of them: 32 made 720 pairs an image of 500 hashes that lie close
_KEPT = 1 << 21  # pairs that are held before repeats are dropped
_AT_ONCE = 1 << 17  # pairs of hashes that become pairs of images at once

Hashes = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]


def candidate_pairs(hashes: Hashes) -> Pairs:
    """(P, 2) indices i < j, in order, of `hashes` (N,) that differ in at most RADIUS bits.

    The different hashes are sorted once for each choice of EQUAL blocks (84), and compared with their neighbours there:
    N log N time, and memory by N and the pairs that are found. All pairs of at most 6 bits are found, unless more than
    WINDOW hashes share three blocks, or more than ENOUGH are near: then some are, which still links what lies close.
    Of the images that have one hash, each is paired with the next WINDOW; STAND of them stand for all elsewhere.
    """
    order = np.argsort(hashes, kind="stable")
    different, first, repeats = np.unique(hashes[order], return_index=True, return_counts=True)
    found, held, full = [np.empty(0, np.int64)], 0, np.zeros(len(different), np.bool_)
    for mask in _masks():
        codes = _pairs_under(different, mask, full)
        found.append(codes)
        held += len(codes)
        if held > _KEPT:
            found, held = [np.unique(np.concatenate(found))], 0
            ends = np.concatenate(np.divmod(found[0], len(different)))
            full = np.bincount(ends, minlength=len(different)) >= ENOUGH
    codes = np.unique(np.concatenate(found))
    del found
    places = [_of_one_hash(first, repeats)]
    for start in range(0, len(codes), _AT_ONCE):
        apart = np.divmod(codes[start : start + _AT_ONCE], max(1, len(different)))
        places.append(_members(*apart, first, repeats))
    return _in_order([order[part] for part in places], len(hashes))


def _in_order(parts: list[Pairs], count: int) -> Pairs:
    """Their pairs, the smaller index first, by the first and then the second; as one number each while they are sorted,
    which takes half the memory."""
    codes = np.concatenate([part.min(axis=1) * count + part.max(axis=1) for part in parts])
    codes.sort()
    pairs = np.empty((len(codes), 2), np.int64)
    np.divmod(codes, max(1, count), out=(pairs[:, 0], pairs[:, 1]))
    return pairs


def _of_one_hash(first: Pairs, repeats: Pairs) -> Pairs:
    """(P, 2) places whose hash is the same; hash k has places first[k] to first[k] + repeats[k]."""
    last = np.repeat(first + repeats, repeats)
    place = np.arange(len(last))
    found = [np.empty((0, 2), np.int64)]
    for step in range(1, min(WINDOW, int(repeats.max(initial=1)) - 1) + 1):
        near = place[place + step < last]
        found.append(np.stack([near, near + step], axis=1))
    return np.concatenate(found)


def _members(one: Pairs, other: Pairs, first: Pairs, repeats: Pairs) -> Pairs:
    """(P, 2) places of pairs of hashes, (Q,) each: of each hash the STAND that stand for it."""
    left, others = _each(first[one], repeats[one])
    right, rows = _each(first[other[others]], repeats[other[others]])
    return np.stack([left[rows], right], axis=1)


def _each(first: Pairs, repeats: Pairs) -> tuple[Pairs, Pairs]:
    """At most STAND places of each of (Q,) hashes, spread over all that it has, and of which hash they are."""
    many = np.minimum(repeats, STAND)
    rows = np.repeat(np.arange(len(many)), many)
    nth = np.arange(len(rows)) - (np.cumsum(many) - many)[rows]
    return first[rows] + nth * repeats[rows] // many[rows], rows


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


def _pairs_under(hashes: Hashes, mask: np.uint64, full: npt.NDArray[np.bool_]) -> Pairs:
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
        wanted = ~(full[one] & full[other])
        one, other = one[wanted], other[wanted]
        found.append(np.minimum(one, other) * len(keys) + np.maximum(one, other))
    return np.concatenate(found)


def _set_bits(values: Hashes) -> Hashes:
    """numpy.bitwise_count, which numpy 1 lacks."""
    pairs = values - ((values >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bytes_ = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.asarray((bytes_ * np.uint64(0x0101010101010101)) >> np.uint64(56), dtype=np.uint64)
