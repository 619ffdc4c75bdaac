import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.engine.confusion import EXAMPLES, ConfusionResult, confusion, count_confusions
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import Report

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=60)


def arrays(pairs):
    return np.array([p[0] for p in pairs], dtype=np.int64), np.array([p[1] for p in pairs], dtype=np.int64)


def test_rows_are_true_and_columns_are_predicted():
    counts = count_confusions(np.array([0, 0, 2]), np.array([1, 1, 0]), 3)
    np.testing.assert_array_equal(counts, [[0, 2, 0], [0, 0, 0], [1, 0, 0]])
    assert counts.dtype == np.int64


@given(pairs, st.integers(0, 60))
def test_counts_of_batches_add_up(pairs, cut):
    targets, predicted = arrays(pairs)
    parts = count_confusions(targets[:cut], predicted[:cut], 5) + count_confusions(targets[cut:], predicted[cut:], 5)
    np.testing.assert_array_equal(parts, count_confusions(targets, predicted, 5))


@given(pairs, st.permutations(range(5)))
def test_permuting_classes_permutes_rows_and_columns(pairs, order):
    targets, predicted = arrays(pairs)
    order = np.array(order)
    inverse = np.argsort(order)
    counts = count_confusions(targets, predicted, 5)
    assert counts.sum() == len(pairs)
    np.testing.assert_array_equal(
        counts[np.ix_(order, order)], count_confusions(inverse[targets], inverse[predicted], 5)
    )


@pytest.mark.parametrize("bad", [-1, 3])
def test_an_index_outside_the_classes_is_refused_not_counted_elsewhere(bad):
    with pytest.raises(ValueError, match="outside 0 to 2"):
        count_confusions(np.array([0, 1]), np.array([0, bad]), 3)
    with pytest.raises(ValueError, match="outside 0 to 2"):
        count_confusions(np.array([0, bad]), np.array([0, 1]), 3)


def test_of_predictions():
    logits = np.array([[0, 1], [1, 0], [0, 1]], np.float32)
    result = confusion(Predictions(("a", "b", "c"), np.array([0, 0, 1]), logits, Labels(("0", "00"))))
    np.testing.assert_array_equal(result.counts, [[1, 1], [0, 1]])
    assert (result.images, result.accuracy) == (3, pytest.approx(2 / 3))


def test_shares_of_a_class_without_images_are_undefined():
    result = ConfusionResult(Labels(("a", "b")), np.array([[3, 1], [0, 0]]))
    np.testing.assert_allclose(result.shares, [[0.75, 0.25], [np.nan, np.nan]])
    empty = ConfusionResult(Labels(("a", "b")), np.zeros((2, 2), np.int64))
    assert np.isnan(empty.accuracy)
    assert empty.most_confused() == ()


def test_most_confused_pairs_by_count_then_share_then_label_order():
    counts = np.array([[9, 2, 0, 0], [0, 1, 2, 0], [3, 0, 5, 0], [2, 0, 0, 18]])
    names = [(p.true, p.predicted, p.count) for p in ConfusionResult(Labels(tuple("abcd")), counts).most_confused()]
    assert names == [(2, 0, 3), (1, 2, 2), (0, 1, 2), (3, 0, 2)]
    assert len(ConfusionResult(Labels(tuple("abcd")), counts).most_confused(2)) == 2


def test_report_form_and_back():
    labels = Labels(("", "0", "00"))
    result = ConfusionResult(labels, np.array([[2, 1, 0], [0, 0, 0], [0, 4, 1]]))
    value = json.loads(json.dumps(Report(result).to_json()))
    assert value["kind"] == "confusion"
    assert value["result"]["labels"] == ["", "0", "00"]
    assert value["result"]["counts"] == [[2, 1, 0], [0, 0, 0], [0, 4, 1]]
    assert value["result"]["most_confused"][0] == {
        "true": "00",
        "predicted": "0",
        "count": 4,
        "share": 0.8,
        "examples": [],
    }
    again = ConfusionResult.from_result(value["result"])
    assert again.labels == labels
    np.testing.assert_array_equal(again.counts, result.counts)
    assert again.to_result() == result.to_result()


def many(count=200, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)).astype(np.float32)
    paths = tuple(f"val/{i:03d}.jpg" for i in range(count))
    return Predictions(paths, targets, logits, Labels(tuple("abcde"[:classes])))


def test_examples_are_a_few_images_of_each_pair():
    predictions = many()
    result = confusion(predictions)
    of_path = dict(zip(predictions.paths, zip(predictions.targets, predictions.predicted, strict=True), strict=True))
    pairs = result.most_confused()
    assert len(pairs) == 20
    for pair in pairs:
        assert len(pair.examples) == len(set(pair.examples)) == min(EXAMPLES, pair.count)
        assert {of_path[path] for path in pair.examples} == {(pair.true, pair.predicted)}


@given(st.permutations(range(40)))
def test_examples_depend_on_neither_the_order_nor_the_size_of_the_logits(order):
    one = many(40, 3)
    paths = tuple(one.paths[i] for i in order)
    other = Predictions(paths, one.targets[list(order)], one.logits[list(order)] * np.float32(1.5), one.labels)
    assert confusion(one).to_result() == confusion(other).to_result()


def test_an_image_that_stands_in_several_rows_is_shown_once():
    wrong = Predictions(
        ("a",) * 3 + ("b",), np.zeros(4, np.int64), np.array([[0, 1]] * 4, np.float32), Labels(("x", "y"))
    )
    (pair,) = confusion(wrong).most_confused()
    assert (pair.count, sorted(pair.examples)) == (4, ["a", "b"])


def test_examples_come_back_from_a_stored_report_and_may_be_absent():
    result = confusion(many())
    value = json.loads(json.dumps(Report(result).to_json()))["result"]
    assert ConfusionResult.from_result(value).to_result() == result.to_result()
    for pair in value["most_confused"]:
        del pair["examples"]
    again = ConfusionResult.from_result(value)
    assert [pair.count for pair in again.most_confused()] == [pair.count for pair in result.most_confused()]
    assert not any(pair.examples for pair in again.most_confused())
    del value["most_confused"]
    np.testing.assert_array_equal(ConfusionResult.from_result(value).counts, result.counts)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"labels": ["a", "b"], "counts": [[1, 2]]},
        {"labels": ["a", "b"], "counts": [[1, 2], [3]]},
        {"labels": ["a", "b"], "counts": [[1, -2], [3, 4]]},
        {"labels": ["a", "b"], "counts": [[0.5, 2], [3, 4]]},
        {"labels": ["a", "a"], "counts": [[1, 2], [3, 4]]},
        {"labels": ["a", "b"], "counts": [["1", "2"], ["3", "4"]]},
        {"labels": ["a", "b"], "counts": [[1, 2], [3, 4]], "most_confused": [{"true": "x", "predicted": "a"}]},
        {"labels": ["a", "b"], "counts": [[1, 2], [3, 4]], "most_confused": 7},
    ],
)
def test_what_is_not_a_stored_matrix_is_refused(broken):
    with pytest.raises((KeyError, TypeError, ValueError)):
        ConfusionResult.from_result(broken)
