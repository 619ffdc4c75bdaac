"""Differences between two sets of logits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clf_cli.engine.onnx_parity import images_parity, in_order, parity
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions

logits = arrays(np.float32, (6, 4), elements=st.floats(-50, 50, width=32))


@given(logits)
def test_equal_logits_differ_in_nothing(values):
    found = parity(values, values)
    assert (found.agreement, found.logit_difference, found.probability_difference) == (1.0, 0.0, 0.0)
    assert found.within(1e-9)


@given(logits, st.integers(0, 5), st.integers(0, 3))
def test_one_wrong_number_is_found(values, row, column):
    other = values.copy()
    other[row, column] += 1
    found = parity(values, other)
    assert found.logit_difference == pytest.approx(1, rel=1e-4)
    assert found.relative_difference == pytest.approx(1 / max(1, np.abs(values).max()), rel=1e-4)
    assert not found.within(1e-3)


def test_ties_are_left_out_of_agreement():
    reference = np.array([[5, 0, 0], [1, 1.00001, 0], [0, 3, 0]], np.float32)
    flipped = np.array([[5, 0, 0], [1.00001, 1, 0], [0, 3, 0]], np.float32)
    assert (parity(reference, flipped).ties, parity(reference, flipped).agreement) == (1, 1.0)
    wrong = np.array([[5, 0, 0], [1, 1.00001, 0], [3, 0, 0]], np.float32)
    assert parity(reference, wrong).agreement == 0.5
    assert parity(reference[1:2], flipped[1:2]).agreement == 1.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_never_within(bad):
    reference = np.ones((2, 3), np.float32)
    other = reference.copy()
    other[1, 2] = bad
    found = parity(reference, other)
    assert math.isnan(found.relative_difference)
    assert not found.within(1e9)


def predictions(values, labels, targets):
    paths = tuple(f"{i}.png" for i in range(len(values)))
    order = Labels(labels)
    return Predictions(paths, np.array([order.indices[name] for name in targets]), np.array(values, np.float32), order)


def test_classes_are_matched_by_name():
    """The same answers in another order of columns are the same answers."""
    reference = predictions([[4, 0, 1], [0, 3, 1]], ("a", "b", "c"), ["a", "c"])
    permuted = predictions([[1, 4, 0], [1, 0, 3]], ("c", "a", "b"), ["a", "c"])
    found = images_parity(reference, permuted)
    assert found.parity.logit_difference == 0
    assert (found.flips, found.accuracy_drop) == ((), 0)
    assert (found.reference_accuracy, found.onnx_accuracy) == (0.5, 0.5)


def test_an_accuracy_drop_of_a_point_is_a_hundredth():
    """0.91 - 0.90 is more than 0.01 in floating point, so that a gate of 0.01 would not let it through."""
    one, other = (np.eye(2, dtype=np.float32)[(np.arange(100) >= right).astype(int)] for right in (91, 90))
    targets, paths = np.zeros(100, dtype=np.int64), tuple(map(str, range(100)))
    ours, theirs = (Predictions(paths, targets, logits, Labels(("a", "b"))) for logits in (one, other))
    found = images_parity(ours, theirs)
    assert (found.reference_accuracy, found.onnx_accuracy, found.accuracy_drop) == (0.91, 0.9, 0.01)


def test_flips_and_accuracy_drop():
    reference = predictions([[4, 0, 1], [0, 3, 1], [2, 2.00001, 0]], ("a", "b", "c"), ["a", "b", "b"])
    other = predictions([[4, 0, 1], [3, 0, 1], [2.00001, 2, 0]], ("a", "b", "c"), ["a", "b", "b"])
    found = images_parity(reference, other)
    assert [(flip.path, flip.label, flip.reference, flip.onnx, flip.tie) for flip in found.flips] == [
        ("1.png", "b", "b", "a", False),
        ("2.png", "b", "b", "a", True),
    ]
    assert found.accuracy_drop == 0.5, "the tie counts neither way"
    assert (found.reference_accuracy, found.onnx_accuracy) == (1.0, pytest.approx(1 / 3))


def test_in_order():
    values = np.array([[1, 2, 3]], np.float32)
    assert in_order(values, Labels(("a", "b", "c")), Labels(("c", "a", "b"))).tolist() == [[3, 1, 2]]
