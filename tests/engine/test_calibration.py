"""The calibration of drawn logits: what it promises, what it says of images that it did not see, and its warnings."""

from dataclasses import replace

import numpy as np
import pytest

from clf_cli.engine.calibration import calibrate, reliability
from clf_cli.engine.cross_fit import folds
from clf_cli.engine.metrics import calibration_error, metrics
from clf_cli.engine.temperature import at_temperature, fit_temperature
from clf_cli.engine.thresholds import fit_thresholds
from clf_cli.errors import ModelError
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import plain

LABELS = Labels(("", "7", "a", "b"))


def drawn(images=300, true_temperature=3.0, seed=0, labels=LABELS):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (images, len(labels))).astype(np.float32)
    targets = (logits / true_temperature + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return Predictions(tuple(f"{number:04d}.png" for number in range(images)), targets, logits, labels)


def perfect(images=40):
    one = drawn(images)
    return replace(one, targets=one.predicted)


def reasons(result):
    return " | ".join(finding["reason"] for finding in result.findings)


@pytest.fixture(scope="module")
def overconfident():
    return drawn()


def test_before_is_what_evaluate_says(overconfident):
    found, expected = calibrate(overconfident, 0.9).before, metrics(overconfident)
    assert (found.loss, found.ece) == (expected.loss, expected.ece)
    assert (found.coverage, found.precision) == (1.0, expected.acc_top1)


@pytest.mark.parametrize("true_temperature", [0.5, 3.0])
def test_after_is_better_on_these_images_and_on_others(true_temperature):
    result = calibrate(drawn(600, true_temperature), 0.9)
    assert result.temperature == pytest.approx(true_temperature, rel=0.3)
    assert result.after.loss <= result.cross_fitted.loss < result.before.loss
    assert result.after.ece < result.before.ece
    assert result.cross_fitted.ece < result.before.ece
    assert not result.bounded
    assert result.findings == ()


def test_thresholds_reach_the_target(overconfident):
    result = calibrate(overconfident, 0.85)
    assert result.before.precision < 0.85
    assert result.after.precision >= 0.85
    assert result.after.coverage < 1
    own = [one for one in result.classes if one.basis == "class"]
    assert own
    for one in own:
        assert one.kept.precision >= 0.85
        assert one.kept.images <= one.answers.images


def test_cross_fitted_by_hand(overconfident):
    result, of_image = calibrate(overconfident, 0.85), folds(overconfident.paths, overconfident.targets)
    losses, kept = np.empty(300), np.empty(300, dtype=bool)
    for fold in range(5):
        chosen, inside = of_image != fold, of_image == fold
        temperature = fit_temperature(overconfident.logits[chosen], overconfident.targets[chosen])
        calibrated = at_temperature(overconfident, temperature)
        confidences, predicted = calibrated.confidences, calibrated.predicted
        thresholds = fit_thresholds(predicted[chosen], confidences[chosen], calibrated.correct[chosen], 4, 0.85)
        losses[inside] = calibrated.losses[inside]
        kept[inside] = thresholds.answered(predicted[inside], confidences[inside])
    assert result.cross_fitted.loss == pytest.approx(losses.mean())
    assert result.cross_fitted.coverage == kept.mean()
    assert result.cross_fitted.precision == overconfident.correct[kept].mean()
    assert sum(one.cross_fitted.images for one in result.classes) == kept.sum()


def test_the_order_of_the_images_does_not_matter(overconfident):
    order = np.random.default_rng(1).permutation(300)
    moved = Predictions(
        tuple(overconfident.paths[i] for i in order),
        overconfident.targets[order],
        overconfident.logits[order],
        LABELS,
    )
    one, other = (plain(calibrate(found, 0.9).to_result()) for found in (overconfident, moved))
    assert one["temperature"] == pytest.approx(other["temperature"])
    assert one["cross_fitted"] == pytest.approx(other["cross_fitted"])


def test_reliability_adds_up_to_the_calibration_error(overconfident):
    confidences, correct = overconfident.confidences, overconfident.correct
    bins = reliability(confidences, correct)
    there = bins.images > 0
    gaps = np.abs(bins.accuracy - bins.confidence)[there]
    assert (gaps * bins.images[there]).sum() / 300 == pytest.approx(calibration_error(confidences, correct))
    assert bins.images.sum() == 300
    assert np.isnan(bins.confidence[~there]).all()


class TestWarnings:
    def test_every_image_is_right(self):
        result = calibrate(perfect(), 0.95)
        assert result.bounded
        assert "every image is right" in reasons(result)
        assert "0.05 is no measurement" in reasons(result)
        assert result.after.precision == 1.0

    def test_the_logits_say_less_than_nothing(self):
        one = drawn(60)
        result = calibrate(replace(one, targets=one.logits.argmin(axis=1)), 0.95)
        assert "stands at its bound, 20" in reasons(result)
        assert "nothing is answered" in reasons(result)
        assert np.isnan(result.thresholds.values).all()
        assert result.after.coverage == 0.0
        assert np.isnan(result.after.precision)

    def test_the_images_were_learnt_from(self, overconfident):
        assert "learnt from these images" in reasons(calibrate(overconfident, 0.9, seen=True))

    @pytest.mark.parametrize("images", [1, 3, 8])
    def test_few_images(self, images):
        few = replace(drawn(images), targets=np.arange(images) % 4)
        result = calibrate(few, 0.9)
        assert ("the numbers are rough" in reasons(result)) == (images < 8)
        assert np.isnan(result.cross_fitted.loss) == (images == 1)
        plain(result.to_result())

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_no_numbers(self, overconfident, value):
        logits = overconfident.logits.copy()
        logits[[3, 7], 1] = value
        with pytest.raises(ModelError, match=r"NaN or infinity for 2 of 300 images, such as 0003\.png") as error:
            calibrate(replace(overconfident, logits=logits), 0.9)
        assert error.value.exit_code == 4


def test_the_report(overconfident):
    labels = Labels((*LABELS, "never predicted"))
    logits = np.column_stack((overconfident.logits, np.full(300, -90, dtype=np.float32)))
    document = plain(
        calibrate(replace(overconfident, logits=logits, labels=labels), 0.9, digest="sha256:1").to_result()
    )
    assert list(document) == [
        "temperature", "bounded", "target_precision", "before", "after", "cross_fitted", "per_class", "reliability",
        "model_digest",
    ]  # fmt: skip
    assert document["cross_fitted"]["folds"] == 5
    last = document["per_class"][4]
    assert last["basis"] == "all classes"
    assert (last["class"], last["index"], last["answers"]) == ("never predicted", 4, 0)
    assert last["before"] == {"coverage": None, "precision": None}
    assert last["threshold"] is not None
    assert len(document["reliability"]["after"]["images"]) == document["reliability"]["bins"] == 15
    assert document["model_digest"] == "sha256:1"
