"""What a classifier scored on a split: one function, which the validation callback and the commands both call."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from clf_cli.data.samples import WHOLE
from clf_cli.engine.confusion import count_confusions
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
    """One value per class, in label order; undefined is NaN."""

    support: IntArray  # (C,) images of the class
    predicted: IntArray  # (C,) images that were taken for it
    precision: Vector  # (C,) right / predicted; NaN when never predicted
    recall: Vector  # (C,) right / support, which is also the class's accuracy; NaN without images
    f1: Vector  # (C,) 2 right / (support + predicted), 0 when never predicted; NaN without images


@dataclass(frozen=True)
class MetricsResult:
    """Fractions from 0 to 1; NaN is undefined, and everything is undefined without images.

    The macro averages are plain means over the classes that have images in the split. A class that has images but was
    never predicted enters them with precision 0, recall 0 and F1 0, as in scikit-learn with `labels` = the classes
    present and `zero_division=0`; a class without images enters none of them.
    """

    kind: ClassVar[str] = "metrics"

    labels: Labels
    loss: float  # mean cross-entropy in nats: no class weights, no label smoothing
    acc_top1: float
    acc_top5: float  # NaN where there are five classes or fewer
    precision_macro: float
    recall_macro: float
    f1_macro: float
    ece: float  # expected calibration error of the top class, 15 bins of equal width
    per_class: PerClass

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
            "ece": self.ece,
        }

    def to_result(self) -> dict[str, Any]:
        """`accuracy` of a class is its recall, under the name that people look for."""
        p = self.per_class
        columns = (p.support, p.predicted, p.precision, p.recall, p.f1, p.recall)
        names = ("support", "predicted", "precision", "recall", "f1", "accuracy")
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return {
            **self.scalars,
            "per_class": [
                {"class": name, "index": index, **dict(zip(names, row, strict=True))}
                for index, (name, row) in enumerate(zip(self.labels, rows, strict=True))
            ],
        }


def metrics(predictions: Predictions) -> MetricsResult:
    """All metrics of a split, from its logits. Images that were skipped are in no denominator."""
    classes = len(predictions.labels)
    per_class = class_metrics(count_confusions(predictions.targets, predictions.predicted, classes))
    present = per_class.support > 0
    return MetricsResult(
        labels=predictions.labels,
        loss=_mean(predictions.losses),
        acc_top1=_mean(predictions.correct),
        acc_top5=_mean(target_ranks(predictions) < TOP) if classes > TOP else NAN,
        precision_macro=_mean(np.where(np.isnan(per_class.precision), 0.0, per_class.precision)[present]),
        recall_macro=_mean(per_class.recall[present]),
        f1_macro=_mean(per_class.f1[present]),
        ece=calibration_error(predictions.confidences, predictions.correct),
        per_class=per_class,
    )


def class_metrics(counts: IntArray) -> PerClass:
    """Per-class metrics of confusion counts (C, C), rows true, columns predicted."""
    right, support, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    return PerClass(
        support=support,
        predicted=predicted,
        precision=_ratio(right, predicted),
        recall=_ratio(right, support),
        f1=np.where(support > 0, _ratio(2 * right, support + predicted), NAN),
    )


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
    edges = np.linspace(0.0, 1.0, bins + 1)
    of_image = np.minimum(np.searchsorted(edges, confidences, side="right") - 1, bins - 1)
    gaps = np.bincount(of_image, weights=correct - confidences, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidences))


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


def _ratio(numerator: IntArray, denominator: IntArray) -> Vector:
    ratio = np.full(numerator.shape, NAN)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _mean(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if values.size else NAN
