"""Scores of the same images that two programs computed: how far they may lie apart, ties and rounding considered."""

import numpy as np
import numpy.typing as npt

from clf_cli.engine.confusion import count_confusions
from clf_cli.engine.metrics import ECE_BINS, TOP, PerClass, class_metrics, metrics
from clf_cli.values.predictions import TIE, Predictions, ties

EXACT = 1e-6  # of scores that count images
SMOOTH = 1e-3  # of scores that every logit enters, relative to max(1, score)
_MANY_TIES = 1000


def value_of(predictions: Predictions, metric: str) -> float:
    """`metric` is named as in a contract, `val/acc_top1`; NaN where it is undefined."""
    return metrics(predictions).scalars[metric.partition("/")[2]]


def slack(predictions: Predictions, metric: str) -> float:
    """The largest difference in `metric` that undecided images and rounding explain.

    An image counts as undecided where values.predictions.ties says so; of top-5, where its fifth and sixth best logits
    are that near. A share moves by one image for each; an average over classes by what each does to it, which is much
    where its class is rare.
    """
    key, images = metric.partition("/")[2], max(1, len(predictions))
    if key == "acc_top1":
        return float(ties(predictions.logits).sum()) / images + EXACT
    if key == "acc_top5":
        return float(_near(predictions.logits, TOP).sum()) / images + EXACT
    if key == "ece":
        edges = predictions.confidences * ECE_BINS
        moving = ties(predictions.logits) | (np.abs(edges - edges.round()) < ECE_BINS * TIE)
        return 2 * float(moving.sum()) / images + SMOOTH
    if key == "loss":
        return SMOOTH * max(1.0, value_of(predictions, metric))
    return _average_slack(predictions, key) + EXACT


def _near(logits: npt.NDArray[np.floating], rank: int) -> npt.NDArray[np.bool_]:
    """(N,) whether the logits of rank `rank` and the one after differ by less than a tie does."""
    if logits.shape[1] <= rank:
        return np.zeros(len(logits), dtype=np.bool_)
    best = np.sort(logits, axis=1)[:, ::-1]
    return np.asarray(best[:, rank - 1] - best[:, rank] < TIE * np.maximum(1.0, np.abs(logits).max(axis=1)))


def _average_slack(predictions: Predictions, key: str) -> float:
    """What undecided images do to an average over the classes when their second best class wins: the sum of what each
    does alone, twice that where there are several, which together may do more."""
    undecided = np.flatnonzero(ties(predictions.logits))
    if not len(undecided):
        return 0.0
    if len(undecided) > _MANY_TIES:
        return 1.0  # no score of such answers says anything
    found = class_metrics(count_confusions(predictions.targets, predictions.predicted, len(predictions.labels)))
    rows, first = np.arange(len(undecided)), predictions.predicted[undecided]
    pair = np.argsort(predictions.logits[undecided], axis=1)[:, -2:]
    second = np.where(pair[:, 1] == first, pair[:, 0], pair[:, 1])
    right, predicted = (np.tile(counts, (len(rows), 1)) for counts in (found.right, found.predicted))
    target = predictions.targets[undecided]
    right[rows, first] -= first == target
    right[rows, second] += second == target
    predicted[rows, first] -= 1
    predicted[rows, second] += 1
    flipped = PerClass(right, np.tile(found.support, (len(rows), 1)), predicted).averages[key]
    return float(np.abs(flipped - found.averages[key]).sum()) * (1 if len(undecided) == 1 else 2)
