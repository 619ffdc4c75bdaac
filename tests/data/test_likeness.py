"""Likeness is a correlation that a local difference can undo, and a crowd of look-alikes needs more of it."""

from itertools import combinations

import numpy as np
import pytest

from clf_cli.data.likeness import CELLS, CLOSE, CROWD, STRICT, measure, near
from clf_cli.data.pixels import SIDE

PAIR = np.array([[0, 1]])


def texture(seed: int) -> np.ndarray:
    """(SIDE, SIDE, 3) smooth colour about 128."""
    coarse = np.random.default_rng(seed).normal(0, 40, (8, 8, 3))
    return 128 + coarse.repeat(SIDE // 8, axis=0).repeat(SIDE // 8, axis=1)


def thumbnails(*arrays: np.ndarray) -> np.ndarray:
    return np.stack(arrays).clip(0, 255).astype(np.uint8)


def test_the_correlation_is_that_of_the_pixels_with_each_channel_centred():
    pair = thumbnails(texture(0), 0.5 * texture(0) + 0.5 * texture(1))
    centred = pair.astype(float) - pair.mean(axis=(1, 2), keepdims=True)
    one, other = centred.reshape(2, -1)
    expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    cells = centred.reshape(2, CELLS, SIDE // CELLS, CELLS, SIDE // CELLS, 3).mean(axis=(2, 4)).reshape(2, -1)
    coarse = cells[0] @ cells[1] / np.linalg.norm(cells[0]) / np.linalg.norm(cells[1])
    assert measure(pair, PAIR)[0, 0] == pytest.approx(coarse, abs=1e-4)
    near_copy = thumbnails(texture(0), texture(0) + np.random.default_rng(2).normal(0, 5, (SIDE, SIDE, 3)))
    one, other = (near_copy.astype(float) - near_copy.mean(axis=(1, 2), keepdims=True)).reshape(2, -1)
    expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert measure(near_copy, PAIR)[0, 1] == pytest.approx(expected, abs=1e-4)


def test_brightness_contrast_and_tint_do_not_count():
    other = 0.7 * texture(0) + np.array([10, 0, -10])
    cells, pixels, difference = measure(thumbnails(texture(0), other), PAIR)[0]
    assert min(cells, pixels) > 0.999
    assert difference < 0.05


def test_a_difference_in_one_place_is_told_though_the_whole_correlates():
    other = texture(0)
    other[8:12, 8:12] += np.where(other[8:12, 8:12] > 128, -60, 60)
    measured = measure(thumbnails(texture(0), other), PAIR)
    assert measured[0, 0] > CLOSE[0]
    assert measured[0, 2] > CLOSE[1]
    assert not near(2, PAIR, measured).any()


def test_flat_images_are_like_nothing():
    flat = np.full((SIDE, SIDE, 3), 100.0)
    assert not near(
        3, np.array([[0, 1], [0, 2]]), measure(thumbnails(flat, flat, texture(0)), np.array([[0, 1], [0, 2]]))
    ).any()


def test_a_crowd_of_look_alikes_is_linked_only_where_it_is_nearly_equal():
    rng = np.random.default_rng(0)
    copies = [texture(0) + rng.normal(0, 7, (16, 16, 3)).repeat(2, axis=0).repeat(2, axis=1) for _ in range(CROWD + 2)]
    shown = thumbnails(*copies, copies[0])
    pairs = np.array(list(combinations(range(len(shown)), 2)))
    measured = measure(shown, pairs)
    distinct = (pairs != len(copies)).all(axis=1)
    assert (measured[distinct, 1] > CLOSE[0]).all()
    assert (measured[distinct, 1] < STRICT[0]).all()
    assert near(len(shown), PAIR, measured[:1]).all()
    assert pairs[near(len(shown), pairs, measured)].tolist() == [[0, len(copies)]]


def test_a_pair_is_measured_alike_in_any_company():
    shown = thumbnails(*(texture(seed) + texture(100) for seed in range(40)))
    pairs = np.array(list(combinations(range(40), 2)))
    whole = measure(shown, pairs)
    for index in (0, 77, 400):
        assert np.allclose(measure(shown[pairs[index]], PAIR)[0], whole[index], atol=1e-6)
