"""Thresholds against trying every confidence, and the rule for classes with few answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st

from clf_cli.engine.predictions import is_answered
from clf_cli.engine.thresholds import ABOVE, OWN, SLACK, fit_thresholds, least_confidence

quick = with_options(max_examples=50)
answers = st.lists(st.tuples(st.integers(1, 30).map(lambda k: k / 30), st.booleans()), max_size=60)
targets = st.sampled_from([0.5, 0.8, 0.95, 1.0])


def arrays(pairs):
    confidences, correct = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(confidences, dtype=np.float64), np.array(correct, dtype=np.bool_)


@quick
@given(answers, targets)
def test_it_lets_through_what_the_lowest_confidence_that_will_do_lets_through(pairs, target):
    confidences, correct = arrays(pairs)
    will_do = [
        candidate
        for candidate in sorted(set(confidences.tolist()))
        if (confidences >= candidate).sum() >= ABOVE
        and correct[confidences >= candidate].sum() >= target * (confidences >= candidate).sum() - 1e-9
    ]
    found = least_confidence(confidences, correct, target)
    if not will_do:
        assert math.isnan(found)
    else:
        assert np.array_equal(confidences >= found, confidences >= will_do[0])
        assert will_do[0] - SLACK <= found < will_do[0]


def test_it_lies_below_the_answer_that_sets_it():
    confidences = np.linspace(0.6, 0.9, ABOVE)
    assert least_confidence(confidences, np.ones(ABOVE, dtype=np.bool_), 0.9) == pytest.approx(0.6 - SLACK)
    near = np.append(confidences, 0.6 - 1e-4)
    right = np.append(np.ones(ABOVE, dtype=np.bool_), False)
    assert least_confidence(near, right, 0.95) == pytest.approx(0.6 - 0.5e-4)


def test_too_few_answers_say_nothing():
    few = np.full(ABOVE - 1, 0.99)
    assert math.isnan(least_confidence(few, np.ones(len(few), dtype=np.bool_), 0.5))
    assert math.isnan(least_confidence(np.empty(0), np.empty(0, dtype=np.bool_), 0.5))


def split_of(*classes):
    """(predicted, confidences, correct) of classes given as (answers, right ones): the right ones are most certain."""
    predicted = np.repeat(np.arange(len(classes)), [count for count, _ in classes])
    confidences = np.concatenate([np.linspace(0.99, 0.4, count) for count, _ in classes])
    correct = np.concatenate([np.arange(count) < right for count, right in classes])
    return predicted.astype(np.int64), confidences, correct


def test_whose_answers_set_a_threshold():
    found = fit_thresholds(*split_of((400, 395), (OWN - 1, 3), (0, 0), (OWN, 0)), classes=4, target=0.9)
    assert found.basis == ("class", "all classes", "all classes", "never")
    assert found.values[1] == found.values[2]
    assert math.isnan(found.values[3])
    assert found.to_contract()[3] is None


def test_no_class_at_all():
    found = fit_thresholds(*split_of((4, 0), (4, 0)), classes=2, target=0.9)
    assert found.basis == ("never", "never")
    assert found.to_contract() == (None, None)


@quick
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1), st.booleans()), min_size=1, max_size=80), targets)
def test_the_answers_of_a_class_reach_the_target_and_predict_lets_the_same_ones_through(rows, target):
    predicted, confidences, correct = (np.array(column) for column in zip(*rows, strict=True))
    found = fit_thresholds(predicted, confidences, correct, 3, target)
    kept = found.answered(predicted, confidences)
    assert kept.tolist() == [
        is_answered(index, confidence, found.to_contract())
        for index, confidence in zip(predicted.tolist(), confidences.tolist(), strict=True)
    ]
    for index in range(3):
        own = kept & (predicted == index)
        if found.basis[index] == "class":
            assert own.sum() >= ABOVE
            assert correct[own].mean() >= target - 1e-9


def test_a_higher_target_lets_fewer_through():
    split = split_of((60, 45), (60, 55))
    kept = [fit_thresholds(*split, classes=2, target=target).answered(*split[:2]).sum() for target in (0.8, 0.9, 1.0)]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > kept[-1]
