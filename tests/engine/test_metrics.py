import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.engine.metrics import calibration_error, class_metrics, metrics, need_classes, target_ranks
from clf_cli.errors import DataError
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions, softmax
from clf_cli.values.report import DataRef, Report


def predictions_of(logits, targets, names=None):
    logits = np.asarray(logits, np.float32)
    labels = Labels(tuple(names or (f"c{i}" for i in range(logits.shape[1]))))
    paths = tuple(f"{i}.png" for i in range(len(logits)))
    return Predictions(paths, np.asarray(targets, np.int64), logits, labels)


def random_predictions(images, classes, seed=0, signal=2.0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, images)
    logits = rng.normal(size=(images, classes))
    logits[np.arange(images), targets] += signal
    return predictions_of(logits, targets)


def test_by_hand():
    # Class a: one right, one taken for b. Class b: one right. Class c: no images, never predicted.
    result = metrics(predictions_of([[2, 0, 0], [0, 2, 0], [0, 2, 0]], [0, 0, 1]))
    right, wrong = np.log(1 + 2 * np.exp(-2)), np.log(np.exp(2) + 2)
    assert result.loss == pytest.approx((2 * right + wrong) / 3)
    assert result.acc_top1 == pytest.approx(2 / 3)
    assert np.isnan(result.acc_top5)
    assert result.precision_macro == pytest.approx((1 + 0.5) / 2)
    assert result.recall_macro == pytest.approx((0.5 + 1) / 2)
    assert result.f1_macro == pytest.approx(2 / 3)
    assert result.precision_weighted == pytest.approx((2 * 1 + 1 * 0.5) / 3)
    assert result.recall_weighted == pytest.approx(result.acc_top1)
    assert result.f1_weighted == pytest.approx(2 / 3)
    assert result.ece == pytest.approx(abs(2 / 3 - np.exp(-right)))
    per_class = result.per_class
    np.testing.assert_array_equal(per_class.support, [2, 1, 0])
    np.testing.assert_array_equal(per_class.predicted, [1, 2, 0])
    np.testing.assert_allclose(per_class.precision, [1, 0.5, np.nan])
    np.testing.assert_allclose(per_class.recall, [0.5, 1, np.nan])
    np.testing.assert_allclose(per_class.f1, [2 / 3, 2 / 3, np.nan])


def test_a_present_class_that_is_never_predicted_scores_zero_and_an_absent_one_is_left_out():
    result = metrics(predictions_of([[1, 0, 0], [1, 0, 0], [0, 0, 1]], [0, 1, 0]))
    np.testing.assert_allclose(result.per_class.f1, [0.5, 0, np.nan])
    np.testing.assert_allclose(result.per_class.precision, [0.5, np.nan, 0])
    assert result.f1_macro == pytest.approx(0.25)  # over a and b; c has no images, though one image was taken for it
    assert result.precision_macro == pytest.approx(0.25)


def test_no_images_is_undefined_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = metrics(predictions_of(np.empty((0, 7)), []))
    assert all(np.isnan(value) for value in result.scalars.values())
    assert len(result.scalars) == 10
    assert result.to_result()["slices"] == []
    assert all(np.isnan(end) for ends in result.intervals.values() for end in ends)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_no_number_gives_no_warning_and_no_score_that_looks_fine(bad):
    logits = np.zeros((4, 6))
    logits[1, 2] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = metrics(predictions_of(logits, [0, 2, 0, 0]))
        assert not any(np.isfinite(result.intervals["loss"]))
    assert not np.isfinite(result.loss)


@pytest.mark.parametrize(("classes", "defined"), [(2, False), (5, False), (6, True)])
def test_top_5_needs_six_classes(classes, defined):
    assert np.isfinite(metrics(random_predictions(20, classes)).acc_top5) == defined


def test_ties_rank_by_index_so_that_top_1_and_rank_zero_agree():
    equal = predictions_of(np.zeros((3, 7)), [0, 1, 6])
    np.testing.assert_array_equal(target_ranks(equal), [0, 1, 6])
    coarse = random_predictions(500, 9, seed=3)
    coarse = predictions_of(np.round(coarse.logits), coarse.targets)
    np.testing.assert_array_equal(target_ranks(coarse) == 0, coarse.correct)


@given(st.integers(0, 2**31), st.integers(2, 8), st.integers(1, 60))
def test_permuting_the_classes_permutes_the_rows_and_nothing_else(seed, classes, images):
    before = random_predictions(images, classes, seed)
    order = np.random.default_rng(seed + 1).permutation(classes)
    inverse = np.argsort(order)
    one, other = metrics(before), metrics(predictions_of(before.logits[:, order], inverse[before.targets]))
    np.testing.assert_allclose(list(one.scalars.values()), list(other.scalars.values()), rtol=1e-9)
    for name in ("support", "predicted", "precision", "recall", "f1"):
        np.testing.assert_allclose(getattr(one.per_class, name)[order], getattr(other.per_class, name))


def test_the_order_of_images_does_not_matter():
    p = random_predictions(200, 6)
    order = np.random.default_rng(1).permutation(200)
    one, other = metrics(p), metrics(predictions_of(p.logits[order], p.targets[order]))
    np.testing.assert_allclose(list(one.scalars.values()), list(other.scalars.values()), rtol=1e-12)
    named = Predictions(tuple(f"{i}.png" for i in order), p.targets[order], p.logits[order], p.labels)
    assert metrics(named).intervals == one.intervals  # an image is told by its path
    assert other.intervals != one.intervals  # other images behind the same paths: other draws


def test_intervals_are_of_the_scores_and_hold_them():
    result = metrics(random_predictions(150, 8))
    assert list(result.intervals) == list(result.scalars)
    for name, value in result.scalars.items():
        low, high = result.intervals[name]
        assert 0 <= low < value < high, name
        assert name == "loss" or high <= 1
    assert result.intervals["recall_weighted"] == result.intervals["acc_top1"]
    assert metrics(result.predictions).intervals == result.intervals


def test_the_truth_is_in_nearly_all_intervals():
    classes, trials = 6, 60
    truth = metrics(random_predictions(100_000, classes, seed=1)).scalars
    inside = dict.fromkeys(truth, 0)
    for seed in range(trials):
        for name, (low, high) in metrics(random_predictions(250, classes, seed=100 + seed)).intervals.items():
            inside[name] += low <= truth[name] <= high
    assert all(count / trials >= 0.85 for count in inside.values()), inside


def test_intervals_shrink_with_more_images():
    few, many = (metrics(random_predictions(images, 8)).intervals for images in (200, 3200))
    for name in few:
        assert np.diff(many[name]) < np.diff(few[name]) / 2.5, name  # a quarter, give or take


def test_all_right_has_no_room_but_where_a_proportion_has():
    logits = 50 * np.eye(4)[[0, 1, 2, 3] * 5]
    intervals = metrics(predictions_of(logits, [0, 1, 2, 3] * 5)).intervals
    assert intervals["f1_macro"] == (1.0, 1.0)
    assert intervals["acc_top1"] == (pytest.approx(0.8388748), 1.0)


def test_one_image_has_no_bootstrap():
    result = metrics(predictions_of(np.eye(6)[:1], [0]))
    assert result.acc_top1 == result.f1_macro == 1
    assert np.isnan(result.intervals["f1_macro"]).all()
    assert result.intervals["acc_top5"] == (pytest.approx(0.2065493), 1.0)


def test_a_matrix_that_is_not_symmetric_keeps_its_axes():
    result = class_metrics(np.array([[3, 1, 0], [0, 2, 0], [4, 0, 0]]))
    np.testing.assert_array_equal(result.support, [4, 2, 4])
    np.testing.assert_array_equal(result.predicted, [7, 3, 0])
    np.testing.assert_allclose(result.recall, [3 / 4, 1, 0])
    np.testing.assert_allclose(result.precision, [3 / 7, 2 / 3, np.nan])


def test_calibration_error_of_bins_that_err_to_both_sides_does_not_cancel():
    confidences = np.array([0.6, 0.6, 0.9, 0.9])
    assert calibration_error(confidences, np.array([True, True, False, False])) == pytest.approx((0.4 + 0.9) / 2)
    assert calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == 0.0
    edge = 14 / 15  # a bin's lower edge is its own, so these two are in neighbouring bins
    assert calibration_error(np.array([0.92, edge]), np.array([True, False])) == pytest.approx((0.08 + edge) / 2)
    assert calibration_error(np.array([edge, 1.0]), np.array([True, False])) == pytest.approx(edge / 2)  # one bin


def test_report_form():
    names = ["", "0", "00"]
    result = metrics(predictions_of([[2, 0, 0], [0, 2, 0]], [0, 0], names))
    value = Report(result).to_json()["result"]
    assert list(value) == [
        *("loss", "acc_top1", "acc_top5", "precision_macro", "recall_macro", "f1_macro"),
        *("precision_weighted", "recall_weighted", "f1_weighted", "ece", "intervals", "per_class", "slices"),
    ]
    assert value["acc_top5"] is None
    assert list(value["intervals"]) == [name for name in value if name in result.scalars]
    assert value["intervals"]["acc_top5"] == [None, None]
    assert value["intervals"]["acc_top1"] == pytest.approx([0.0945312, 0.9054688], abs=1e-7)
    assert value["slices"] == []
    assert value["per_class"][0] == {
        "class": "",
        "index": 0,
        "support": 2,
        "predicted": 1,
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "accuracy": 0.5,
        "intervals": {
            "precision": pytest.approx([0.2065493, 1.0], abs=1e-7),
            "recall": pytest.approx([0.0945312, 0.9054688], abs=1e-7),
        },
    }
    assert value["per_class"][2]["recall"] is None
    assert value["per_class"][2]["precision"] is None
    assert value["per_class"][2]["support"] == 0
    assert value["per_class"][2]["intervals"] == {"precision": [None, None], "recall": [None, None]}


def test_predictions_confidence_is_the_probability_of_the_predicted_class():
    p = random_predictions(2500, 4)  # more than one block
    np.testing.assert_allclose(p.confidences, softmax(p.logits).max(axis=1), rtol=1e-12)
    np.testing.assert_allclose(p.losses, -np.log(softmax(p.logits)[np.arange(2500), p.targets]), rtol=1e-9)


def test_a_thousand_classes_are_fast():
    p = random_predictions(10_000, 1000)
    start = time.process_time()
    metrics(p).to_result()
    assert time.process_time() - start < 2.0  # 0.06 s without intervals, 0.3 s with them, where it was written


@pytest.mark.parametrize(("split", "says"), [("val", "The split val of birds holds"), ("all", "birds holds")])
def test_one_class_alone_is_refused(split, says):
    data = DataRef("birds", split, "sha256:0", 2, 0)
    need_classes(predictions_of(np.zeros((2, 3)), [0, 2]), data)
    with pytest.raises(DataError, match=rf"^{says} images of one class only \(\(empty\)\)") as caught:
        need_classes(predictions_of(np.zeros((2, 3)), [1, 1], ["a", "", "b"]), data)
    assert "clf confusion" in caught.value.hint
