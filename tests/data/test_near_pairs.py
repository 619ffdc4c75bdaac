"""Candidates among hashes are those that comparing all with all finds, without comparing all with all."""

from itertools import combinations

import numpy as np
import pytest

from clf_cli.data import near_pairs
from clf_cli.data.near_pairs import RADIUS, candidate_pairs, components

SURE = 6  # bits; pairs that differ in so many are always found


def planted(seed: int, count: int) -> np.ndarray:
    """Random hashes, and as many near them, up to RADIUS + 4 bits away."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 1 << 64, count, dtype=np.uint64)
    flips = [rng.choice(64, rng.integers(0, RADIUS + 5), replace=False) for _ in range(count)]
    masks = [sum(1 << int(bit) for bit in chosen) for chosen in flips]
    return np.concatenate([hashes, hashes ^ np.array(masks, dtype=np.uint64)])


def distance(one: np.uint64, other: np.uint64) -> int:
    return bin(int(one) ^ int(other)).count("1")


@pytest.mark.parametrize("seed", range(3))
def test_all_close_pairs_are_found_and_no_distant_one(seed):
    hashes = planted(seed, 200)
    found = {tuple(pair) for pair in candidate_pairs(hashes).tolist()}
    for one, other in combinations(range(len(hashes)), 2):
        apart = distance(hashes[one], hashes[other])
        assert (one, other) in found or apart > SURE
        assert (one, other) not in found or apart <= RADIUS


def test_pairs_come_once_and_in_order():
    pairs = candidate_pairs(planted(0, 300))
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert np.array_equal(pairs, np.unique(pairs, axis=0))


def test_pairs_that_are_held_back_are_not_lost(monkeypatch):
    hashes = planted(1, 300)
    whole = candidate_pairs(hashes)
    monkeypatch.setattr(near_pairs, "_KEPT", 10)
    assert np.array_equal(candidate_pairs(hashes), whole)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_hashes(count):
    assert len(candidate_pairs(np.zeros(count, np.uint64))) == max(0, count - 1)


def test_hashes_that_are_all_equal_cost_a_window_each_and_stay_linked():
    count = 3000
    pairs = candidate_pairs(np.full(count, 0x1234, np.uint64))
    assert len(pairs) < count * near_pairs.WINDOW
    assert set(components(count, pairs).tolist()) == {0}


def test_components_are_the_smallest_index_that_is_reached():
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 400, (250, 2))
    reached = {index: {index} for index in range(400)}
    for one, other in pairs.tolist():
        together = reached[one] | reached[other]
        for index in together:
            reached[index] = together
    assert components(400, pairs).tolist() == [min(reached[index]) for index in range(400)]


def test_a_chain_is_one_component_in_any_order():
    links = np.stack([np.arange(999), np.arange(1, 1000)], axis=1)
    shuffled = np.random.default_rng(0).permutation(links)
    assert set(components(1000, links).tolist()) == set(components(1000, shuffled[:, ::-1]).tolist()) == {0}


def test_a_dense_family_is_linked_without_all_its_pairs(monkeypatch):
    rng = np.random.default_rng(0)
    hashes = np.full(800, 0x0F0F_1234_5678_9ABC, np.uint64)
    for _ in range(4):
        hashes ^= np.uint64(1) << rng.integers(0, 64, len(hashes)).astype(np.uint64)
    monkeypatch.setattr(near_pairs, "_KEPT", 10_000)
    pairs = candidate_pairs(hashes)
    assert len(pairs) < 0.5 * len(hashes) ** 2 / 2
    assert set(components(len(hashes), pairs).tolist()) == {0}


def test_families_of_equal_hashes_that_lie_close_cost_few_pairs_and_stay_linked():
    ends = [np.uint64(1) << np.uint64(bit) for bit in range(0, 40, 2)]
    hashes = np.repeat(np.array([np.uint64(0x0F0F_1234_5678_9ABC) ^ end for end in ends]), 50)
    pairs = candidate_pairs(hashes)
    assert len(pairs) < len(hashes) * 2 * near_pairs.WINDOW
    assert set(components(len(hashes), pairs).tolist()) == {0}
