"""What a classifier scored on the parts of a split that share a value, such as the images of one camera."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clf_cli.engine.intervals import Interval, wilson
from clf_cli.values.predictions import IntArray, Predictions
from clf_cli.values.report import plain


@dataclass(frozen=True)
class Grouping:
    """What each image of a split has under a key of its manifest row; None without."""

    key: str
    values: tuple[Any, ...]  # (N,) as JSON has them: text, numbers, booleans, lists


@dataclass(frozen=True)
class Slice:
    """The images with one value; scores as in MetricsResult, the macro average over the slice's own classes."""

    key: str
    value: Any  # None: the images without the key
    images: int
    classes: int  # that have images in the slice
    acc_top1: float
    acc_top1_interval: Interval
    f1_macro: float
    loss: float

    def to_result(self) -> dict[str, Any]:
        return {
            "by": self.key,
            "value": self.value,
            "images": self.images,
            "classes": self.classes,
            "acc_top1": self.acc_top1,
            "f1_macro": self.f1_macro,
            "loss": self.loss,
            "intervals": {"acc_top1": list(self.acc_top1_interval)},
        }


def slices(predictions: Predictions, grouping: Grouping) -> tuple[Slice, ...]:
    """One per value, the largest first, equal sizes in the order of their JSON text.

    All of them at once: there may be as many values as images.
    """
    values = [plain(value) for value in grouping.values]  # NaN is None
    texts = [json.dumps(value, sort_keys=True) for value in values]  # 1, "1" and true are three values
    first = {text: index for index, text in reversed(list(enumerate(texts)))}
    names = sorted(first)
    numbers = {text: number for number, text in enumerate(names)}
    of_image = np.array([numbers[text] for text in texts], dtype=np.int64)
    count = len(names)
    images = np.bincount(of_image, minlength=count)
    right = np.bincount(of_image[predictions.correct], minlength=count)
    losses = np.bincount(of_image, weights=predictions.losses, minlength=count)
    classes, f1 = _macro_f1(predictions, of_image, count)
    intervals = wilson(right, images)
    return tuple(
        Slice(
            key=grouping.key,
            value=values[first[names[i]]],
            images=int(images[i]),
            classes=int(classes[i]),
            acc_top1=float(right[i] / images[i]),
            acc_top1_interval=(float(intervals[i, 0]), float(intervals[i, 1])),
            f1_macro=float(f1[i]),
            loss=float(losses[i] / images[i]),
        )
        for i in sorted(range(count), key=lambda i: -images[i])
    )


def _macro_f1(predictions: Predictions, of_image: IntArray, count: int) -> tuple[IntArray, Sequence[float]]:
    """(count,) classes with images, and the mean of their F1, from the pairs of slice and class that occur."""
    classes = len(predictions.labels)
    true, predicted = of_image * classes + predictions.targets, of_image * classes + predictions.predicted
    pairs, support = np.unique(true, return_counts=True)
    twice_right = 2 * _counts(true[predictions.correct], pairs)
    f1 = twice_right / (support + _counts(predicted, pairs))
    present = np.bincount(pairs // classes, minlength=count)
    return present, (np.bincount(pairs // classes, weights=f1, minlength=count) / present).tolist()


def _counts(cells: IntArray, pairs: IntArray) -> IntArray:
    """(P,) how often each of the sorted `pairs` stands among `cells`, which may hold others."""
    found = np.minimum(np.searchsorted(pairs, cells), len(pairs) - 1)
    return np.bincount(found[pairs[found] == cells], minlength=len(pairs))
