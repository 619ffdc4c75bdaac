import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from clf_cli.engine.intervals import UNDEFINED, bootstrap, wilson, wilson_of


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wilson_is_the_closed_form(trials, share):
    successes = round(share * trials)
    low, high = wilson(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= low <= successes / trials <= high <= 1


def test_wilson_by_hand():
    # p = 8 / 10, z = 1.96: (p + z2 / 2n -+ z sqrt(p (1 - p) / n + z2 / 4n2)) / (1 + z2 / n)
    np.testing.assert_allclose(wilson(8, 10), [0.4901625, 0.9433178], atol=1e-7)
    np.testing.assert_allclose(wilson([0, 5], [5, 5]), [[0, 0.4344825], [0.5655175, 1]], atol=1e-7)
    assert np.isnan(wilson([0], [0])).all()
    assert wilson_of(np.array([True] * 8 + [False] * 2)) == tuple(wilson(8, 10))


def mean_of(values):
    return lambda weights: {"mean": (weights * values).sum(axis=1) / weights.sum(axis=1)}


def test_the_bootstrap_of_a_mean_is_what_the_normal_distribution_says():
    values = np.random.default_rng(5).exponential(size=2000)
    low, high = bootstrap(mean_of(values), 2000)["mean"]
    error = 1.96 * values.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - error, values.mean() + error), rel=0.01)


def test_the_weights_are_draws_with_replacement():
    seen = []

    def scores(weights):
        seen.append(weights)
        return {"first": weights[:, 0] / weights.sum(axis=1)}

    bootstrap(scores, 600)  # in more than one block
    estimate, *blocks = seen
    drawn = np.concatenate(blocks)
    assert (estimate == 1).all()
    assert drawn.shape == (1000, 600)
    assert (drawn.sum(axis=1) == 600).all()
    assert drawn.var() == pytest.approx(1, abs=0.01)
    assert len({row.tobytes() for row in drawn}) == 1000


def test_the_truth_is_in_nearly_all_intervals_of_a_mean():
    rng = np.random.default_rng(0)
    found = [bootstrap(mean_of(rng.exponential(size=80)), 80)["mean"] for _ in range(200)]
    inside = np.mean([low <= 1 <= high for low, high in found])
    assert 0.88 <= inside <= 0.98


def test_a_biased_score_keeps_its_estimate_and_reaches_for_the_truth():
    """|mean| of noise around 0 is too large, and its resamples larger still."""
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(100):
        noise = rng.normal(size=50)
        low, high = bootstrap(lambda w, noise=noise: {"x": np.abs((w * noise).sum(axis=1)) / 50}, 50)["x"]
        assert 0 <= low <= abs(noise.mean()) <= high
        hits.append(low <= 0.01)
    assert np.mean(hits) > 0.8


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan]])
def test_what_has_no_interval(values):
    with np.errstate(invalid="ignore"):
        found = bootstrap(mean_of(np.array(values)), len(values))["mean"]
    np.testing.assert_array_equal(found, UNDEFINED)


def test_the_same_draws_every_time():
    values = np.random.default_rng(2).normal(10, 1, 300)
    assert bootstrap(mean_of(values), 300) == bootstrap(mean_of(values), 300)
