"""The temperature against scipy on the same logits, and what must not move it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from clf_cli.engine.temperature import HIGHEST, LOWEST, at_temperature, fit_temperature
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions

quick = with_options(max_examples=25)
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, images=60, classes=4, true_temperature=1.0, scale=2.0):
    """Logits whose softmax at that temperature is what the targets are drawn from."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, scale, (images, classes))
    noise = rng.gumbel(size=logits.shape)
    targets = (logits / true_temperature + noise).argmax(axis=1)
    return logits, targets


def loss(logits, targets, temperature):
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(targets)), targets].mean()


@quick
@given(seeds, st.sampled_from([0.3, 1.0, 3.0]), st.integers(2, 6))
def test_it_is_the_minimum_that_scipy_finds(seed, true_temperature, classes):
    logits, targets = drawn(seed, 80, classes, true_temperature)
    found = fit_temperature(logits, targets)
    expected = minimize_scalar(
        lambda inverse: loss(logits, targets, 1 / inverse),
        bounds=(1 / HIGHEST, 1 / LOWEST),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert loss(logits, targets, found) <= expected.fun + 1e-12
    assert 1 / found == pytest.approx(expected.x, rel=1e-3, abs=1e-4)


def test_a_known_temperature_is_found_again():
    for true_temperature in (0.5, 1.0, 2.5):
        logits, targets = drawn(0, 20_000, 5, true_temperature)
        assert fit_temperature(logits.astype(np.float32), targets) == pytest.approx(true_temperature, rel=0.05)


@quick
@given(seeds, st.floats(-50, 50))
def test_adding_a_constant_to_an_images_logits_changes_nothing(seed, constant):
    logits, targets = drawn(seed)
    shift = np.linspace(constant, -constant, len(logits))[:, None]
    assert fit_temperature(logits + shift, targets) == pytest.approx(fit_temperature(logits, targets), rel=1e-7)


@quick
@given(seeds, st.floats(0.3, 3))
def test_scaling_the_logits_scales_the_temperature(seed, factor):
    logits, targets = drawn(seed)
    one, other = fit_temperature(logits, targets), fit_temperature(factor * logits, targets)
    if {one, other}.isdisjoint((LOWEST, HIGHEST)):
        assert other == pytest.approx(factor * one, rel=1e-7)


@quick
@given(seeds)
def test_the_order_of_images_and_classes_does_not_matter(seed):
    logits, targets = drawn(seed)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(logits)), rng.permutation(4)
    moved = fit_temperature(logits[rows][:, columns], np.argsort(columns)[targets[rows]])
    assert moved == pytest.approx(fit_temperature(logits, targets), rel=1e-7)


def test_bounds():
    logits = np.random.default_rng(0).normal(size=(40, 3))
    right, wrong = logits.argmax(axis=1), logits.argmin(axis=1)
    assert fit_temperature(logits, right) == LOWEST
    assert fit_temperature(1000 * logits, right) == LOWEST
    assert fit_temperature(logits, wrong) == HIGHEST
    assert fit_temperature(np.zeros((5, 3)), np.array([0, 1, 2, 0, 1])) == 1.0


@pytest.mark.parametrize("scale", [0.3, 30.0])
def test_far_from_the_start(scale):
    """Logits so flat or so steep that Newton's step from 1 leaves the bracket."""
    logits, targets = drawn(1, 3000, 10, scale=1.0)
    found = fit_temperature(scale * logits, targets)
    if scale == 30.0:
        assert found == HIGHEST
    else:
        assert found == pytest.approx(scale, rel=0.1)


def test_answers_do_not_change():
    logits, targets = drawn(2, 50)
    one = Predictions(
        tuple(f"{i}.png" for i in range(50)),
        targets.astype(np.int64),
        logits.astype(np.float32),
        Labels(("a", "b", "c", "d")),
    )
    for temperature in (0.05, 0.7, 20.0):
        other = at_temperature(one, temperature)
        assert np.array_equal(other.predicted, one.predicted)
        assert other.losses.mean() == pytest.approx(loss(one.logits.astype(np.float64), targets, temperature))
        assert (np.argsort(other.confidences) == np.argsort(one.confidences)).mean() <= 1
    assert np.array_equal(at_temperature(one, 1.0).confidences, one.confidences)
