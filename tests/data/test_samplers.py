import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clf_cli.data.samplers import (
    balanced_order,
    class_weights,
    drawn_counts,
    expected_counts,
    of_rank,
    uniform_order,
)

TARGETS = np.repeat(np.arange(4), [700, 250, 0, 50])  # class 2 has no image

seeds = st.integers(0, 2**31 - 1)
epochs = st.integers(0, 100_000)


@given(count=st.integers(0, 300), seed=seeds, epoch=epochs)
def test_a_uniform_epoch_sees_every_image_once_and_is_a_function_of_seed_and_epoch(count, seed, epoch):
    order = uniform_order(count, seed, epoch)
    assert sorted(order.tolist()) == list(range(count))
    assert np.array_equal(order, uniform_order(count, seed, epoch))


def test_epochs_and_seeds_differ():
    orders = {tuple(uniform_order(50, seed, epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25
    drawn = {tuple(balanced_order(TARGETS, seed, epoch)) for seed in range(5) for epoch in range(5)}
    assert len(drawn) == 25


def test_a_balanced_epoch_draws_every_class_equally_often():
    draws = np.concatenate([balanced_order(TARGETS, 1, epoch) for epoch in range(60)])
    assert len(draws) == 60 * len(TARGETS)
    counts = drawn_counts(draws, TARGETS, 4)
    expected = expected_counts(TARGETS, 4, len(draws), balanced=True)
    assert counts[2] == expected[2] == 0
    assert counts[[0, 1, 3]] == pytest.approx(expected[[0, 1, 3]], rel=0.03)
    within = np.bincount(draws, minlength=1000)[950:]
    assert within.min() > 0.7 * within.max() * 0.9  # and every image of a class alike


def test_the_uniform_epoch_draws_what_it_expects():
    order = uniform_order(len(TARGETS), 0, 3)
    expected = expected_counts(TARGETS, 4, len(TARGETS), balanced=False)
    assert np.array_equal(drawn_counts(order, TARGETS, 4), expected)


@given(count=st.integers(0, 200), world=st.integers(1, 7))
def test_ranks_share_an_epoch_equally_and_without_overlap(count, world):
    order = uniform_order(count, 5, 1)
    shares = [of_rank(order, rank, world) for rank in range(world)]
    assert {len(share) for share in shares} == {count // world}
    together = np.concatenate(shares)
    assert len(set(together.tolist())) == len(together) > count - world


@given(counts=hnp.arrays(np.int64, st.integers(1, 30), elements=st.integers(0, 1000)).filter(lambda a: a.sum() > 0))
def test_class_weights_are_inverse_to_counts_and_one_on_average(counts):
    weights = class_weights(counts)
    assert (weights[counts == 0] == 0).all()
    present = counts > 0
    assert np.allclose(weights[present] * counts[present], (weights * counts).sum() / present.sum())
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
