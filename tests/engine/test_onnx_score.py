"""How far two scores of the same images may lie apart: what ties can do, and no more."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clf_cli.engine.metrics import metrics
from clf_cli.engine.onnx_score import slack, value_of
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions, ties

COUNTED = ("acc_top1", "acc_top5", "f1_macro", "f1_weighted", "precision_macro", "recall_macro")


def predictions(seed, images=30, classes=7, tied=()):
    """Random answers; of the images in `tied` the two best logits are equal."""
    rng = np.random.default_rng(seed)
    ranks = rng.permuted(np.tile(np.arange(classes), (images, 1)), axis=1)
    logits = (ranks + rng.normal(0, 0.1, ranks.shape)).astype(np.float32)
    for row in tied:
        best = np.argsort(logits[row])
        logits[row, best[-2]] = logits[row, best[-1]] = logits[row, best[-1]] + 1
    targets = rng.integers(0, classes, images)
    names = tuple(f"{number}" for number in range(classes))
    return Predictions(tuple(f"{i}.png" for i in range(images)), targets, logits, Labels(names))


def flipped(given, rows):
    """The same answers with the second best class of these images a hair above the best."""
    logits = given.logits.copy()
    for row in rows:
        second = next(i for i in np.argsort(-logits[row], kind="stable") if i != given.predicted[row])
        logits[row, second] = np.nextafter(logits[row].max(), np.float32(np.inf))
    return replace(given, logits=logits)


@pytest.mark.parametrize("name", COUNTED)
def test_without_ties_counted_scores_are_equal(name):
    assert slack(predictions(0), f"val/{name}") <= 1e-6


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.sets(st.integers(0, 29), max_size=3))
def test_ties_explain_what_they_do(seed, tied):
    found = predictions(seed, tied=tied)
    assert set(np.flatnonzero(ties(found.logits)).tolist()) == tied
    for chosen in product((False, True), repeat=len(tied)):
        other = flipped(found, [row for row, flips in zip(sorted(tied), chosen, strict=True) if flips])
        for name in COUNTED:
            metric = f"val/{name}"
            difference = abs(value_of(other, metric) - value_of(found, metric))
            assert difference <= slack(found, metric), (metric, chosen)


def test_one_tie_moves_an_accuracy_by_one_image():
    assert slack(predictions(1, tied={4}), "val/acc_top1") == pytest.approx(1 / 30, abs=1e-5)


def test_a_tie_of_a_rare_class_moves_its_average_more():
    """Class 0 has one image, which the network takes for class 1 and might take for class 0."""
    targets = np.array([0, *([1] * 20), *([2] * 20)])
    logits = np.eye(3, dtype=np.float32)[targets] * 5
    logits[0] = (5, 5, 0)
    found = Predictions(tuple(map(str, range(41))), targets, logits, Labels(("a", "b", "c")))
    assert found.correct.all()
    wrong = value_of(flipped(found, [0]), "val/f1_macro")
    assert 0.3 < 1 - wrong <= slack(found, "val/f1_macro") < 0.4


def test_fifth_place():
    """Top-5 is undecided where the fifth and the sixth class are as good."""
    found = predictions(2)
    order = np.argsort(-found.logits[3])
    found.logits[3, order[5]] = found.logits[3, order[4]]
    assert slack(found, "val/acc_top1") <= 1e-6
    assert slack(found, "val/acc_top5") == pytest.approx(1 / 30, abs=1e-5)


@pytest.mark.parametrize("name", ["loss", "ece"])
@settings(max_examples=50)
@given(seed=st.integers(0, 2**16))
def test_rounding_of_logits(name, seed):
    found = predictions(seed)
    noise = np.random.default_rng(seed).uniform(-1e-5, 1e-5, found.logits.shape).astype(np.float32)
    other = replace(found, logits=found.logits + noise)
    difference = abs(value_of(other, f"val/{name}") - value_of(found, f"val/{name}"))
    assert difference <= slack(found, f"val/{name}")
    assert slack(found, f"val/{name}") < 0.3


def test_an_undecided_network_has_no_score():
    found = predictions(0, images=1100)
    assert slack(replace(found, logits=np.zeros_like(found.logits)), "val/f1_macro") >= 1


def test_the_value_is_that_of_metrics():
    found = predictions(0)
    assert value_of(found, "val/f1_macro") == metrics(found).f1_macro
