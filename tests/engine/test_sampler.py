import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clf_cli.data.samplers import balanced_order, class_weights, drawn_counts, expected_counts
from clf_cli.engine.sampler import chi_square_tail, sampler_report
from clf_cli.values.labels import Labels
from clf_cli.values.report import Report

LABELS = Labels(("", "0", "00"))
TARGETS = np.repeat(np.arange(3), [600, 300, 100])


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
    drawn = drawn_counts(balanced_order(TARGETS, 0, 0), TARGETS, 3)
    expected = expected_counts(TARGETS, 3, 1000, balanced=True)
    result = sampler_report(drawn, expected, LABELS, epoch=4)
    reference = stats.chisquare(drawn, expected)
    assert result.chi_square == pytest.approx(reference.statistic)
    assert result.p_value == pytest.approx(reference.pvalue)
    assert result.degrees == 2
    assert result.p_value > 1e-4
    assert result.ratio == pytest.approx(drawn / expected)
    assert result.effective_prior == pytest.approx([1 / 3] * 3)
    assert result.findings == ()


def test_a_sampler_that_does_not_do_what_it_says_is_improbable():
    natural = drawn_counts(np.arange(1000), TARGETS, 3)
    result = sampler_report(natural, expected_counts(TARGETS, 3, 1000, balanced=True), LABELS, 1)
    assert result.p_value < 1e-12


@pytest.mark.parametrize(
    ("balanced", "weighted", "prior", "twice"),
    [
        (False, False, [0.6, 0.3, 0.1], False),
        (True, False, [1 / 3] * 3, False),
        (False, True, [1 / 3] * 3, False),
        (True, True, [0.1, 0.2, 0.6], True),
    ],
)
def test_the_prior_that_the_loss_sees(balanced, weighted, prior, twice):
    expected = expected_counts(TARGETS, 3, 1000, balanced)
    weights = class_weights(np.bincount(TARGETS)) if weighted else None
    result = sampler_report(expected.round().astype(np.int64), expected, LABELS, 1, weights)
    assert result.effective_prior == pytest.approx(np.array(prior) / sum(prior))
    assert len(result.findings) == twice
    if twice:
        assert "corrected twice" in result.findings[0].reason
        assert "6.0 times" in result.findings[0].reason
        assert result.findings[0].severity == "warning"


def test_balanced_data_are_not_corrected_twice():
    targets = np.repeat(np.arange(3), 50)
    expected = expected_counts(targets, 3, 150, balanced=True)
    assert sampler_report(np.full(3, 50), expected, LABELS, 1, class_weights(np.bincount(targets))).findings == ()


def test_classes_without_images_are_undefined_and_drawing_one_is_impossible():
    expected = np.array([10.0, 0.0, 10.0])
    absent = sampler_report(np.array([12, 0, 8]), expected, LABELS, 1)
    assert math.isnan(absent.ratio[1])
    assert (absent.degrees, absent.effective_prior[1]) == (1, 0)
    wrong = sampler_report(np.array([12, 1, 8]), expected, LABELS, 1)
    assert math.isinf(wrong.chi_square)
    assert wrong.p_value == 0


def test_one_class_has_no_p_value():
    result = sampler_report(np.array([5]), np.array([5.0]), Labels(("a",)), 1)
    assert math.isnan(result.p_value)
    assert (result.chi_square, result.degrees) == (0, 0)


def test_the_report_is_plain_json_with_null_for_undefined():
    expected = np.array([10.0, 0.0, 10.0])
    result = sampler_report(np.array([12, 1, 8]), expected, LABELS, 7, np.array([1.0, 0.0, 3.0]))
    report = Report(result, findings=tuple(finding.to_json() for finding in result.findings)).to_json()
    stored = json.loads(json.dumps(report, allow_nan=False))
    assert stored["kind"] == "sampler"
    assert stored["result"] == {
        "epoch": 7,
        "labels": ["", "0", "00"],
        "drawn": [12, 1, 8],
        "expected": [10.0, 0.0, 10.0],
        "ratio": [1.2, None, 0.8],
        "chi_square": None,
        "degrees": 1,
        "p_value": 0.0,
        "effective_prior": [0.25, 0.0, 0.75],
    }
    assert stored["findings"][0]["category"] == "balance"
