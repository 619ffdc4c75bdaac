"""What a model said: softmax, loss, confidence and ties in the plain words of their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clf_cli.values.labels import Labels
from clf_cli.values.predictions import TIE, Predictions, softmax, ties

some_logits = st.tuples(st.integers(1, 6), st.integers(2, 5)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(-200, 200, width=32))
)
quick = with_options(derandomize=True, deadline=None, max_examples=40)


def predictions_of(logits, targets=None):
    logits = np.asarray(logits, dtype=np.float32)
    count, classes = logits.shape
    targets = np.zeros(count, dtype=np.int64) if targets is None else np.asarray(targets, dtype=np.int64)
    labels = Labels(tuple(f"{i:04d}" for i in range(classes)))
    return Predictions(tuple(f"{i}.png" for i in range(count)), targets, logits, labels)


@quick
@given(some_logits)
def test_softmax_rows_sum_to_one_and_keep_the_order(logits):
    shares = softmax(logits)
    assert shares.dtype == np.float64
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(shares[np.arange(len(logits)), logits.argmax(axis=1)], shares.max(axis=1))


@quick
@given(some_logits, st.floats(-1000, 1000, width=16))
def test_softmax_does_not_see_a_shift(logits, shift):
    np.testing.assert_allclose(softmax(logits.astype(np.float64) + shift), softmax(logits), atol=1e-9)


def test_softmax_of_large_logits():
    np.testing.assert_allclose(softmax(np.array([[3e38, 3e38, -3e38]], dtype=np.float32)), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(softmax(np.array([np.log(1.0), np.log(3.0)])), [0.25, 0.75])


@quick
@given(some_logits)
def test_confidence_and_loss_are_those_of_the_probabilities(logits):
    found = predictions_of(logits)
    np.testing.assert_allclose(found.confidences, found.probabilities.max(axis=1))
    with np.errstate(divide="ignore"):
        expected = -np.log(found.probabilities[:, 0])
    finite = np.isfinite(expected) & (expected < 600)
    np.testing.assert_allclose(found.losses[finite], expected[finite], rtol=1e-6, atol=1e-9)
    assert np.isfinite(found.losses).all(), "the loss of a hopeless image is large, never infinite"


def test_loss_where_the_probability_underflows():
    found = predictions_of([[0, 1e4]], [0])
    assert found.probabilities[0, 0] == 0
    assert found.losses[0] == pytest.approx(1e4)


def test_more_images_than_a_block():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(2500, 3)).astype(np.float32), rng.integers(0, 3, 2500)
    found = predictions_of(logits, targets)
    expected = -np.log(softmax(logits)[np.arange(2500), targets])
    np.testing.assert_allclose(found.losses, expected)
    assert len(found) == 2500


def test_equal_logits_go_to_the_first_class():
    assert predictions_of([[1, 1, 0], [0, 2, 2]]).predicted.tolist() == [0, 1]


def test_correct_is_per_image():
    found = predictions_of([[1, 0], [1, 0], [0, 1]], [0, 1, 1])
    assert found.correct.tolist() == [True, False, True]
    assert found.predicted.dtype == np.int64


def test_a_logit_that_is_not_finite_gives_no_number():
    found = predictions_of([[np.inf, 0], [0, 1]])
    assert np.isnan(found.losses[0])
    assert np.isfinite(found.losses[1])


def test_no_images():
    found = predictions_of(np.zeros((0, 3)))
    assert len(found) == 0
    assert found.predicted.shape == found.losses.shape == found.confidences.shape == (0,)
    assert found.probabilities.shape == (0, 3)


# Ties


@pytest.mark.parametrize(
    ("row", "tied"),
    [
        ([0.5, 0.5, -3], True),
        ([0.5, 0.5 + TIE / 2, -0.9], True),
        ([0.5, 0.5 + TIE * 2, -0.9], False),
        ([100, 100 + TIE * 50, 0], True),  # relative to the largest logit
        ([1, 1 + TIE * 50, 0], False),
        ([1, 1 + TIE * 50, -100], True),  # by size, whatever its sign
        ([3, 0, 0], False),  # only the two best matter
        ([0, 0, 0], True),
    ],
)
def test_a_tie_is_within_a_share_of_the_largest_logit(row, tied):
    assert ties(np.array([row], dtype=np.float64)).tolist() == [tied]


def test_one_class_never_ties():
    assert ties(np.zeros((4, 1))).tolist() == [False] * 4


@quick
@given(some_logits, st.randoms(use_true_random=False))
def test_ties_do_not_depend_on_the_order_of_classes(logits, random):
    order = random.sample(range(logits.shape[1]), logits.shape[1])
    np.testing.assert_array_equal(ties(logits[:, order]), ties(logits))
