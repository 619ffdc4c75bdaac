import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clf_cli.data.dataset import load_dataset
from clf_cli.data.loaders import EpochSampler, Loading
from clf_cli.engine.sampler import (
    Draws,
    chi_square_tail,
    epoch_draws,
    loss_weights,
    sampler_report,
    sampler_result,
)
from clf_cli.settings.sections import DataSection, OptimSection
from clf_cli.values.labels import Labels
from clf_cli.values.report import Report

LABELS = Labels(("", "0", "00"))
TARGETS = np.repeat(np.arange(3), [600, 300, 100])


def optim(balance, batch_size=32):
    return OptimSection(balance=balance, batch_size=batch_size)


def by_hand(drawn, expected, epoch=1, images=None):
    """Draws of which only the counts matter."""
    drawn, expected = np.array(drawn), np.array(expected, dtype=np.float64)
    images = np.array(expected.round() if images is None else images, dtype=np.int64)
    return Draws(epoch, images, drawn, expected, np.minimum(drawn, 4), batches=4, batch_size=50)


@given(statistic=st.floats(0, 3000), degrees=st.integers(1, 2000))
def test_the_tail_of_the_chi_square_distribution_is_scipys(statistic, degrees):
    assert chi_square_tail(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-8, abs=1e-11)


@pytest.mark.parametrize("degrees", [1, 2, 3, 41, 999])
@pytest.mark.parametrize("factor", [0.2, 0.9, 0.999, 1.0, 1.001, 1.1, 2.0])
def test_the_tail_near_its_middle(degrees, factor):
    assert chi_square_tail(factor * degrees, degrees) == pytest.approx(
        stats.chi2.sf(factor * degrees, degrees), abs=1e-11
    )


def test_numbers_of_a_balanced_epoch():
    draws = epoch_draws(TARGETS, 3, optim("sampler"), seed=0, epoch=4)
    result = sampler_result(draws, LABELS)
    assert draws.expected == pytest.approx([1000 / 3] * 3)
    assert draws.images.tolist() == [600, 300, 100]
    reference = stats.chisquare(draws.drawn, draws.expected)
    assert result.chi_square == pytest.approx(reference.statistic)
    assert result.p_value == pytest.approx(reference.pvalue)
    assert result.degrees == 2
    assert result.p_value > 1e-4
    assert result.ratio == pytest.approx(draws.drawn / draws.expected)
    assert result.effective_prior == pytest.approx([1 / 3] * 3)
    assert result.findings == ()


@pytest.mark.parametrize("balance", ["none", "sampler"])
@pytest.mark.parametrize(("images", "batch_size"), [([9, 2, 1], 3), ([9, 3, 1], 4), ([5, 0, 2], 100), ([4, 2, 1], 1)])
def test_the_draws_are_those_of_the_training_loader(balance, images, batch_size):
    targets = np.repeat(np.arange(3), images)
    sampler = EpochSampler(targets, Loading(batch_size), seed=5, balanced=balance == "sampler")
    sampler.set_epoch(6)
    classes = [int(targets[draw.image]) for draw in sampler]
    batches = [classes[start : start + batch_size] for start in range(0, len(classes), batch_size)]
    draws = epoch_draws(targets, 3, optim(balance, batch_size), seed=5, epoch=7)
    assert draws.drawn.tolist() == [classes.count(index) for index in range(3)]
    assert draws.batches_with.tolist() == [sum(index in batch for batch in batches) for index in range(3)]
    assert (draws.epoch, draws.batches, draws.batch_size) == (7, len(batches), batch_size)
    assert draws.expected.sum() == pytest.approx(len(classes))


def test_a_sampler_that_does_not_do_what_it_says_is_improbable():
    assert sampler_result(by_hand([600, 300, 100], [1000 / 3] * 3), LABELS).p_value < 1e-12


@pytest.mark.parametrize(
    ("balance", "prior", "twice"),
    [
        ("none", [0.6, 0.3, 0.1], False),
        ("sampler", [1 / 3] * 3, False),
        ("loss", [1 / 3] * 3, False),
        ("both", [0.1, 0.2, 0.6], True),
    ],
)
def test_the_prior_that_the_loss_sees(balance, prior, twice):
    draws = epoch_draws(TARGETS, 3, optim(balance), seed=0, epoch=1)
    result = sampler_result(draws, LABELS, loss_weights(TARGETS, 3, optim(balance)))
    assert result.effective_prior == pytest.approx(np.array(prior) / sum(prior))
    assert len(result.findings) == twice
    if twice:
        assert "corrected twice" in result.findings[0]["reason"]
        assert "6.0 times" in result.findings[0]["reason"]
        assert result.findings[0]["severity"] == "warning"


def test_balanced_data_are_not_corrected_twice():
    targets = np.repeat(np.arange(3), 50)
    draws = epoch_draws(targets, 3, optim("both"), seed=0, epoch=1)
    assert sampler_result(draws, LABELS, loss_weights(targets, 3, optim("both"))).findings == ()


def test_the_rarest_class_is_one_that_has_images():
    assert sampler_result(by_hand([9, 0, 2], [9.0, 0.0, 2.0]), LABELS).rarest == 2
    assert sampler_result(by_hand([2, 2, 2], [2.0, 2.0, 2.0]), LABELS).rarest == 0
    assert sampler_result(by_hand([0, 0, 0], [0.0, 0.0, 0.0]), LABELS).rarest is None


def test_the_report_of_a_data_set(tiny_dataset):
    dataset = load_dataset(DataSection(root=tiny_dataset), seed=0)
    report = sampler_report(dataset, optim("both", batch_size=8), seed=0, epoch=2).to_json()
    assert report["model"] is None
    assert (report["data"]["split"], report["data"]["images"], report["data"]["skipped"]) == ("train", 60, 0)
    assert report["data"]["fingerprint"] == dataset.fingerprint
    assert report["result"]["images"] == [20, 20, 20]
    assert sum(report["result"]["drawn"]) == 60
    assert report["result"]["batches"] == 8


def test_classes_without_images_are_undefined_and_drawing_one_is_impossible():
    absent = sampler_result(by_hand([12, 0, 8], [10, 0, 10]), LABELS)
    assert math.isnan(absent.ratio[1])
    assert (absent.degrees, absent.effective_prior[1]) == (1, 0)
    wrong = sampler_result(by_hand([12, 1, 8], [10, 0, 10]), LABELS)
    assert math.isinf(wrong.chi_square)
    assert wrong.p_value == 0


def test_one_class_has_no_p_value():
    result = sampler_result(by_hand([5], [5]), Labels(("a",)))
    assert math.isnan(result.p_value)
    assert (result.chi_square, result.degrees) == (0, 0)


def test_the_report_is_plain_json_with_null_for_undefined():
    result = sampler_result(by_hand([12, 1, 8], [10, 0, 10], 7), LABELS, np.array([1.0, 0.0, 3.0]))
    report = Report(result, findings=result.findings).to_json()
    stored = json.loads(json.dumps(report, allow_nan=False))
    assert stored["kind"] == "sampler"
    assert stored["result"] == {
        "epoch": 7,
        "labels": ["", "0", "00"],
        "images": [10, 0, 10],
        "drawn": [12, 1, 8],
        "expected": [10.0, 0.0, 10.0],
        "ratio": [1.2, None, 0.8],
        "chi_square": None,
        "degrees": 1,
        "p_value": 0.0,
        "effective_prior": [0.25, 0.0, 0.75],
        "batch_size": 50,
        "batches": 4,
        "batches_with": [4, 1, 4],
    }
    assert stored["findings"][0]["category"] == "balance"
