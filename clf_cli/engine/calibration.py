"""How often a model is right when it says so: its temperature, per-class thresholds, and what both are worth."""

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from clf_cli.engine.cross_fit import FOLDS, cross_fit
from clf_cli.engine.metrics import ECE_BINS, calibration_error, confidence_bins
from clf_cli.engine.temperature import HIGHEST, LOWEST, at_temperature, fit_temperature
from clf_cli.engine.thresholds import ABOVE, Basis, Thresholds, fit_thresholds
from clf_cli.errors import ModelError
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import IntArray, Predictions
from clf_cli.values.report import FindingJson, finding

FEW = 2  # images per class; with fewer the numbers are rough
NAN = float("nan")

Vector = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Quality:
    """Of some images' probabilities, and of the answers that thresholds let through; NaN is undefined."""

    loss: float  # mean cross-entropy in nats
    ece: float
    coverage: float  # share of the images that are answered
    precision: float  # share of the answers that are right


@dataclass(frozen=True)
class Kept:
    """Answers with one class that pass its threshold."""

    images: int
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.images if self.images else NAN

    def coverage(self, answers: int) -> float:
        return self.images / answers if answers else NAN


@dataclass(frozen=True)
class ClassCalibration:
    """`answers` have the class as their best one, before any threshold; NaN as threshold is never."""

    label: str
    threshold: float
    basis: Basis
    answers: Kept
    kept: Kept
    cross_fitted: Kept

    def to_json(self, index: int) -> dict[str, Any]:
        answers = self.answers.images
        return {
            "class": self.label,
            "index": index,
            "threshold": self.threshold,
            "basis": self.basis,
            "answers": answers,
            "before": {"coverage": self.answers.coverage(answers), "precision": self.answers.precision},
            "after": {"coverage": self.kept.coverage(answers), "precision": self.kept.precision},
            "cross_fitted": {
                "coverage": self.cross_fitted.coverage(answers),
                "precision": self.cross_fitted.precision,
            },
        }


@dataclass(frozen=True)
class Reliability:
    """Images by confidence, in the bins of the calibration error; means of empty bins are NaN."""

    images: IntArray  # (B,)
    confidence: Vector  # (B,) mean
    accuracy: Vector  # (B,)

    def to_json(self) -> dict[str, Any]:
        return {"images": self.images, "confidence": self.confidence, "accuracy": self.accuracy}


@dataclass(frozen=True)
class CalibrationResult:
    """`after` is of the images that the temperature and thresholds were fitted on; `cross_fitted` of the same images,
    each by a temperature and thresholds that were fitted on the other folds."""

    kind: ClassVar[str] = "calibration"

    labels: Labels
    target_precision: float
    temperature: float
    thresholds: Thresholds
    before: Quality
    after: Quality
    cross_fitted: Quality
    classes: tuple[ClassCalibration, ...]
    reliability_before: Reliability
    reliability_after: Reliability
    model_digest: str | None = None  # of the file that answered
    findings: tuple[FindingJson, ...] = ()

    @property
    def images(self) -> int:
        return int(self.reliability_before.images.sum())

    @property
    def bounded(self) -> bool:
        """Whether the temperature stands at a bound instead of at a minimum."""
        return self.temperature in (LOWEST, HIGHEST)

    def to_result(self) -> dict[str, Any]:
        return {
            "temperature": self.temperature,
            "bounded": self.bounded,
            "target_precision": self.target_precision,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "cross_fitted": {**asdict(self.cross_fitted), "folds": FOLDS},
            "per_class": [one.to_json(index) for index, one in enumerate(self.classes)],
            "reliability": {
                "bins": ECE_BINS,
                "before": self.reliability_before.to_json(),
                "after": self.reliability_after.to_json(),
            },
            "model_digest": self.model_digest,
        }


@dataclass(frozen=True)
class _Answers:
    """What some temperature and thresholds make of N images; NaN where none were fitted."""

    losses: Vector  # (N,)
    confidences: Vector  # (N,)
    kept: Bools  # (N,) those that pass their threshold


def calibrate(
    predictions: Predictions, target: float, seen: bool = False, digest: str | None = None
) -> CalibrationResult:
    """Fits the temperature by the loss and the thresholds by `target`, the wanted precision of the answers.

    `seen` says that the model learnt from these very images; `digest` names the model's file. Raises ModelError (exit
    4) for logits that are no numbers.
    """
    _need_numbers(predictions)
    plain = _Answers(predictions.losses, predictions.confidences, np.ones(len(predictions), dtype=np.bool_))
    temperature, thresholds = _fit(predictions, target)
    fitted = _answers(predictions, temperature, thresholds)
    crossed = _crossed(predictions, target)
    result = CalibrationResult(
        labels=predictions.labels,
        target_precision=target,
        temperature=temperature,
        thresholds=thresholds,
        before=_quality(plain, predictions.correct),
        after=_quality(fitted, predictions.correct),
        cross_fitted=_quality(crossed, predictions.correct),
        classes=_classes(predictions, thresholds, (plain.kept, fitted.kept, crossed.kept)),
        reliability_before=reliability(plain.confidences, predictions.correct),
        reliability_after=reliability(fitted.confidences, predictions.correct),
        model_digest=digest,
    )
    remarks = _remarks(result, predictions, seen)
    return replace(result, findings=tuple(finding("calibration", reason) for reason in remarks))


def reliability(confidences: Vector, correct: Bools) -> Reliability:
    """Mean confidence and accuracy of the images of each bin."""
    of_image = confidence_bins(confidences)
    images = np.bincount(of_image, minlength=ECE_BINS)
    sums = (np.bincount(of_image, weights=values, minlength=ECE_BINS) for values in (confidences, correct))
    confidence, accuracy = (np.divide(one, images, out=np.full(ECE_BINS, NAN), where=images > 0) for one in sums)
    return Reliability(images.astype(np.int64), confidence, accuracy)


def _need_numbers(predictions: Predictions) -> None:
    broken = np.flatnonzero(~np.isfinite(predictions.logits).all(axis=1))
    if broken.size:
        raise ModelError(
            f"The model answers with NaN or infinity for {broken.size:,} of {len(predictions):,} images, such as "
            f"{predictions.paths[broken[0]]}: its probabilities mean nothing.",
            "Its weights are broken; name another checkpoint.",
        )


def _fit(predictions: Predictions, target: float) -> tuple[float, Thresholds]:
    """The temperature, and the thresholds at that temperature."""
    temperature = fit_temperature(predictions.logits, predictions.targets)
    confidences = at_temperature(predictions, temperature).confidences
    classes = len(predictions.labels)
    return temperature, fit_thresholds(predictions.predicted, confidences, predictions.correct, classes, target)


def _answers(predictions: Predictions, temperature: float, thresholds: Thresholds) -> _Answers:
    calibrated = at_temperature(predictions, temperature)
    kept = thresholds.answered(predictions.predicted, calibrated.confidences)
    return _Answers(calibrated.losses, calibrated.confidences, kept)


def _crossed(predictions: Predictions, target: float) -> _Answers:
    """Each image by what was fitted on the other folds."""
    images = len(predictions)
    whole = _Answers(np.full(images, NAN), np.full(images, NAN), np.zeros(images, dtype=np.bool_))
    for others, inside in cross_fit(predictions):
        part = _answers(_part(predictions, inside), *_fit(_part(predictions, others), target))
        whole.losses[inside], whole.confidences[inside], whole.kept[inside] = part.losses, part.confidences, part.kept
    return whole


def _quality(answers: _Answers, correct: Bools) -> Quality:
    if np.isnan(answers.losses).any():  # too few images for folds
        return Quality(NAN, NAN, NAN, NAN)
    kept = answers.kept
    precision = float(correct[kept].mean()) if kept.any() else NAN
    error = calibration_error(answers.confidences, correct)
    return Quality(float(answers.losses.mean()), error, float(kept.mean()), precision)


def _classes(
    predictions: Predictions, thresholds: Thresholds, kept: tuple[Bools, Bools, Bools]
) -> tuple[ClassCalibration, ...]:
    """`kept`: before, after and cross-fitted."""
    classes = len(predictions.labels)
    columns = [
        [
            np.bincount(predictions.predicted[chosen], minlength=classes).tolist()
            for chosen in (one, one & predictions.correct)
        ]
        for one in kept
    ]
    return tuple(
        ClassCalibration(
            label,
            float(thresholds.values[index]),
            thresholds.basis[index],
            *(Kept(images[index], right[index]) for images, right in columns),
        )
        for index, label in enumerate(predictions.labels)
    )


def _remarks(result: CalibrationResult, predictions: Predictions, seen: bool) -> list[str]:
    """What a person should know before trusting the numbers."""
    lines = []
    if seen:
        lines.append("the model learnt from these images: their temperature is too cold and their thresholds too low")
    if predictions.correct.all():
        lines.append(f"every image is right, so no temperature is too cold: {result.temperature:g} is no measurement")
    elif result.bounded:
        lines.append(f"the temperature stands at its bound, {result.temperature:g}: the logits fit no softmax")
    present = len(np.unique(predictions.targets))
    if len(predictions) < FEW * present:
        lines.append(f"{len(predictions)} images for {present} classes are too few: the numbers are rough")
    if np.isnan(result.thresholds.values).all():
        wanted = f"{ABOVE} answers with a precision of {result.target_precision:g}"
        lines.append(f"no threshold lets {wanted} through: with these thresholds nothing is answered")
    return lines


def _part(predictions: Predictions, chosen: Bools) -> Predictions:
    paths = tuple(predictions.paths[i] for i in np.flatnonzero(chosen).tolist())
    return replace(predictions, paths=paths, targets=predictions.targets[chosen], logits=predictions.logits[chosen])
