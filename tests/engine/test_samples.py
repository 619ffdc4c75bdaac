import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.engine.samples import choose_samples, sample_predictions, worst_samples
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import Report

LABELS = Labels(("", "0", "00", "1"))
PATHS = tuple(f"val/{i}.jpg" for i in range(40))
TARGETS = np.array([0] * 25 + [1] * 10 + [2] * 5)  # class "1" has no images


def logits(seed):
    return np.random.default_rng(seed).normal(size=(40, 4)).astype(np.float32)


def test_classes_with_images_get_equal_shares():
    chosen = choose_samples(PATHS, TARGETS, LABELS, 12, seed=0)
    np.testing.assert_array_equal(np.bincount(TARGETS[chosen]), [4, 4, 4])
    assert len(set(chosen.tolist())) == 12
    assert (np.diff(TARGETS[chosen]) >= 0).all()  # class by class


def test_what_a_small_class_cannot_fill_the_others_do():
    counts = np.bincount(TARGETS[choose_samples(PATHS, TARGETS, LABELS, 24, 0)])
    assert counts[2] == 5
    assert sorted(counts[:2]) == [9, 10]


@pytest.mark.parametrize(("count", "got"), [(1, 1), (16, 16), (40, 40), (100, 40)])
def test_count_is_the_most(count, got):
    assert len(choose_samples(PATHS, TARGETS, LABELS, count, 0)) == got


def test_no_images():
    assert choose_samples((), np.empty(0, np.int64), LABELS, 16, 0).tolist() == []


@given(st.permutations(range(40)), st.integers(1, 39))
def test_neither_the_order_nor_the_count_changes_the_choice(order, count):
    def paths(chosen, of):
        return {of[i] for i in chosen.tolist()}

    shuffled = tuple(PATHS[i] for i in order)
    small = paths(choose_samples(PATHS, TARGETS, LABELS, count, 7), PATHS)
    assert small == paths(choose_samples(shuffled, TARGETS[list(order)], LABELS, count, 7), shuffled)
    assert small < paths(choose_samples(PATHS, TARGETS, LABELS, count + 1, 7), PATHS)


def test_the_choice_is_the_same_in_every_epoch_and_another_with_another_seed():
    def shown(seed, epoch):
        result = sample_predictions(Predictions(PATHS, TARGETS, logits(epoch), LABELS), 16, seed)
        return [sample.path for sample in result.samples]

    assert shown(0, epoch=1) == shown(0, epoch=2)
    assert shown(0, epoch=1) != shown(1, epoch=1)


def test_the_seed_picks_the_classes_and_the_images_of_each():
    one_class = [choose_samples(PATHS, np.zeros(40, np.int64), LABELS, 5, seed).tolist() for seed in range(3)]
    assert len({tuple(chosen) for chosen in one_class}) == 3
    many = Labels(tuple(f"c{i:02d}" for i in range(40)))
    few_of_many = [choose_samples(PATHS, np.arange(40), many, 5, seed).tolist() for seed in range(3)]
    assert len({tuple(chosen) for chosen in few_of_many}) == 3


def test_what_was_predicted():
    scores = np.array([[9, 0, 0, 0], [0, 0, 9, 0]], np.float32)
    result = sample_predictions(Predictions(("a.jpg", "b.jpg"), np.array([0, 1]), scores, LABELS))
    value = json.loads(json.dumps(Report(result).to_json()))["result"]["samples"]
    confidence = pytest.approx(1 / (1 + 3 * np.exp(-9)))
    right, wrong = pytest.approx(np.log(1 + 3 * np.exp(-9))), pytest.approx(9 + np.log(1 + 3 * np.exp(-9)))
    assert value == [
        {"path": "a.jpg", "true": "", "predicted": "", "confidence": confidence, "correct": True, "loss": right},
        {"path": "b.jpg", "true": "0", "predicted": "00", "confidence": confidence, "correct": False, "loss": wrong},
    ]


def test_the_worst_are_those_of_the_highest_loss_and_equal_ones_go_by_path():
    predictions = Predictions(PATHS, TARGETS, logits(0), LABELS)
    shown = [sample.path for sample in worst_samples(predictions, 5).samples]
    assert shown == [PATHS[i] for i in np.argsort(-predictions.losses)[:5]]
    same = Predictions(PATHS, TARGETS, np.zeros((40, 4), np.float32), LABELS)
    assert [sample.path for sample in worst_samples(same, 100).samples] == sorted(PATHS)


def test_an_undefined_loss_is_the_worst():
    scores = np.array([[9, 0, 0, 0], [np.inf, 0, 0, 0], [0, 0, 9, 0]], np.float32)
    result = worst_samples(Predictions(("a", "b", "c"), np.zeros(3, np.int64), scores, LABELS), 2)
    assert [sample.path for sample in result.samples] == ["b", "c"]
