"""What a classifier scored on a split: one function, which the validation callback and the commands both call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from clf_cli.data.samples import WHOLE
from clf_cli.engine.confusion import count_confusions
from clf_cli.engine.intervals import UNDEFINED, Interval, Scores, bootstrap, wilson, wilson_of
from clf_cli.engine.slices import Grouping, Slice, slices
from clf_cli.errors import DataError
from clf_cli.values.labels import Labels, shown
from clf_cli.values.predictions import IntArray, Predictions
from clf_cli.values.report import DataRef

ECE_BINS = 15
TOP = 5
NAN = float("nan")

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PerClass:
    """One value per class on the last axis, in label order; undefined is NaN."""

    right: IntArray  # (..., C) images of the class that were taken for it
    support: IntArray  # (..., C) images of the class
    predicted: IntArray  # (..., C) images that were taken for it

    @cached_property
    def precision(self) -> Vector:
        """(..., C) right / predicted; NaN when never predicted."""
        return _ratio(self.right, self.predicted)

    @cached_property
    def recall(self) -> Vector:
        """(..., C) right / support, which is also the class's accuracy; NaN without images."""
        return _ratio(self.right, self.support)

    @cached_property
    def f1(self) -> Vector:
        """(..., C) 2 right / (support + predicted), 0 when never predicted; NaN without images."""
        return np.where(self.support > 0, _ratio(2 * self.right, self.support + self.predicted), NAN)

    @property
    def measured(self) -> "PerClass":
        """The classes with images of one split: sums over them round the same whatever other classes there are."""
        present = self.support > 0
        return PerClass(self.right[present], self.support[present], self.predicted[present])

    @property
    def averages(self) -> dict[str, Vector]:
        """(...) each score as a plain mean over the classes that have images, and weighted by their images."""
        present = self.support > 0
        found = {}
        for name, score in (("precision", self.precision), ("recall", self.recall), ("f1", self.f1)):
            counted = np.where(present & ~np.isnan(score), score, 0.0)
            found[f"{name}_macro"] = _ratio(counted.sum(axis=-1), present.sum(axis=-1))
            found[f"{name}_weighted"] = _ratio((counted * self.support).sum(axis=-1), self.support.sum(axis=-1))
        return found


@dataclass(frozen=True)
class MetricsResult:
    """Fractions from 0 to 1; NaN is undefined, and everything is undefined without images.

    The macro averages are plain means over the classes that have images in the split, the weighted ones count each
    class by its images; weighted recall is top-1. A class that has images but was never predicted enters them with
    precision 0, recall 0 and F1 0, as in scikit-learn with `labels` = the classes present and `zero_division=0`; a
    class without images enters none of them.
    """

    kind: ClassVar[str] = "metrics"

    labels: Labels
    loss: float  # mean cross-entropy in nats: no class weights, no label smoothing
    acc_top1: float
    acc_top5: float  # NaN where there are five classes or fewer
    precision_macro: float
    recall_macro: float
    f1_macro: float
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float
    ece: float  # expected calibration error of the top class, 15 bins of equal width
    per_class: PerClass
    predictions: Predictions = field(repr=False, compare=False)  # that all this was computed from
    slices: tuple[Slice, ...] = ()

    @property
    def scalars(self) -> dict[str, float]:
        """The numbers of the whole split by their names in logs, metrics.csv and `--monitor` (without the split)."""
        return {
            "loss": self.loss,
            "acc_top1": self.acc_top1,
            "acc_top5": self.acc_top5,
            "precision_macro": self.precision_macro,
            "recall_macro": self.recall_macro,
            "f1_macro": self.f1_macro,
            "precision_weighted": self.precision_weighted,
            "recall_weighted": self.recall_weighted,
            "f1_weighted": self.f1_weighted,
            "ece": self.ece,
        }

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of `scalars`: Wilson's for shares of images, which weighted recall is too, or the bootstrap's.

        Computed when first asked for: an epoch that no report is written of does without.
        """
        found = bootstrap(_scores_of_resamples(self.predictions), len(self.predictions))
        top1 = wilson_of(self.predictions.correct)
        found |= {"acc_top1": top1, "recall_weighted": top1}
        defined = len(self.labels) > TOP
        found["acc_top5"] = wilson_of(target_ranks(self.predictions) < TOP) if defined else UNDEFINED
        ordered = ((name, found[name]) for name in self.scalars)
        return {name: (low, high if name == "loss" else min(high, 1.0)) for name, (low, high) in ordered}

    @property
    def class_intervals(self) -> dict[str, Vector]:
        """(C, 2) Wilson's intervals of each class's precision and recall; NaN where these are."""
        p = self.per_class
        return {"precision": wilson(p.right, p.predicted), "recall": wilson(p.right, p.support)}

    def to_result(self) -> dict[str, Any]:
        """`accuracy` of a class is its recall, under the name that people look for."""
        p = self.per_class
        columns = (p.support, p.predicted, p.precision, p.recall, p.f1, p.recall)
        names = ("support", "predicted", "precision", "recall", "f1", "accuracy")
        rows = zip(*(column.tolist() for column in columns), strict=True)
        intervals = {name: pairs.tolist() for name, pairs in self.class_intervals.items()}
        return {
            **self.scalars,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "per_class": [
                {
                    "class": name,
                    "index": index,
                    **dict(zip(names, row, strict=True)),
                    "intervals": {score: pairs[index] for score, pairs in intervals.items()},
                }
                for index, (name, row) in enumerate(zip(self.labels, rows, strict=True))
            ],
            "slices": [part.to_result() for part in self.slices],
        }


def metrics(predictions: Predictions, groupings: Sequence[Grouping] = ()) -> MetricsResult:
    """All metrics of a split, from its logits. Images that were skipped are in no denominator."""
    classes = len(predictions.labels)
    per_class = class_metrics(count_confusions(predictions.targets, predictions.predicted, classes))
    averages = {name: float(value) for name, value in per_class.measured.averages.items()}
    return MetricsResult(
        labels=predictions.labels,
        loss=_mean(predictions.losses),
        acc_top1=_mean(predictions.correct),
        acc_top5=_mean(target_ranks(predictions) < TOP) if classes > TOP else NAN,
        **averages,
        ece=calibration_error(predictions.confidences, predictions.correct),
        per_class=per_class,
        predictions=predictions,
        slices=tuple(part for grouping in groupings for part in slices(predictions, grouping)),
    )


def class_metrics(counts: IntArray) -> PerClass:
    """Per-class metrics of confusion counts (C, C), rows true, columns predicted."""
    return PerClass(right=np.diagonal(counts), support=counts.sum(axis=1), predicted=counts.sum(axis=0))


def target_ranks(predictions: Predictions) -> IntArray:
    """(N,) classes before the true one, 0 is right; equal logits rank by index, as in `predicted`, NaN comes first."""
    logits, targets = predictions.logits, predictions.targets[:, None]
    of_target = np.take_along_axis(logits, targets, axis=1)
    before = np.count_nonzero(~(logits <= of_target), axis=1)
    tied = (logits == of_target) & (np.arange(logits.shape[1]) < targets)
    return np.asarray(before + np.count_nonzero(tied, axis=1), dtype=np.int64)


def calibration_error(confidences: Vector, correct: npt.NDArray[np.bool_], bins: int = ECE_BINS) -> float:
    """Mean over the images of |accuracy - mean confidence| of their bin; bins hold their lower edge, the last both."""
    if not np.isfinite(confidences).all() or not len(confidences):
        return NAN
    gaps = np.bincount(confidence_bins(confidences, bins), weights=correct - confidences, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidences))


def confidence_bins(confidences: Vector, bins: int = ECE_BINS) -> IntArray:
    """(N,) the bin of each confidence, of equal width from 0 to 1."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    return np.asarray(np.minimum(np.searchsorted(edges, confidences, side="right") - 1, bins - 1), dtype=np.int64)


def _scores_of_resamples(predictions: Predictions) -> Scores:
    """What the bootstrap calls: the same scores of images that count several times or not at all.

    The images are taken in the order of their paths, so that it does not matter in which order they were predicted.
    """
    order = sorted(range(len(predictions)), key=lambda i: (predictions.paths[i], predictions.targets[i]))
    targets, predicted, correct = predictions.targets[order], predictions.predicted[order], predictions.correct[order]
    losses, confidences = predictions.losses[order], predictions.confidences[order]
    classes, wrong = len(predictions.labels), np.flatnonzero(targets != predicted)
    halves = np.where(correct, targets, classes + targets)  # right and wrong images of each class
    bins, gaps = confidence_bins(confidences, ECE_BINS), correct - confidences

    def scores(weights: IntArray) -> dict[str, Vector]:
        of_class = _sums(halves, weights, 2 * classes).astype(np.int64).reshape(-1, 2, classes)
        right, support = of_class[:, 0], of_class.sum(axis=1)
        taken = right + _sums(predicted[wrong], weights[:, wrong], classes).astype(np.int64)
        images = weights.sum(axis=1)
        with np.errstate(invalid="ignore"):  # an infinite loss gives NaN
            loss = _ratio((weights * losses).sum(axis=1), images)
        ece = _ratio(np.abs(_sums(bins, weights * gaps, ECE_BINS)).sum(axis=1), images)
        return {"loss": loss, "ece": ece, **PerClass(right, support, taken).averages}

    return scores


def _sums(cells: IntArray, weights: npt.NDArray[Any], count: int) -> Vector:
    """(R, count) sums of the weights (R, N) of the images of each cell; `cells` is (N,)."""
    at = cells + count * np.arange(len(weights))[:, None]
    sums = np.bincount(at.ravel(), weights=weights.ravel(), minlength=count * len(weights))
    return np.asarray(sums.reshape(-1, count), dtype=np.float64)


def need_classes(predictions: Predictions, data: DataRef) -> None:
    """Raises DataError (exit 3) for images of one class only: what a model mixes up cannot be seen on them."""
    present = np.unique(predictions.targets)
    if len(present) != 1:
        return
    only = shown(predictions.labels.names[int(present[0])])
    what = data.path if data.split == WHOLE else f"The split {data.split} of {data.path}"
    raise DataError(
        f"{what} holds images of one class only ({only}): averages over classes say nothing there.",
        "`clf confusion` counts them all the same; or name more data with --data, or another --split.",
    )


def _ratio(numerator: npt.NDArray[Any], denominator: IntArray) -> Vector:
    ratio = np.full(numerator.shape, NAN)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _mean(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if values.size else NAN
