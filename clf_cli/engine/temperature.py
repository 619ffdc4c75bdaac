"""The temperature of a classifier: it divides the logits, so that probabilities are right as often as they say."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clf_cli.values.predictions import IntArray, Predictions

LOWEST, HIGHEST = 0.05, 20.0
_STEPS = 100
_BLOCK = 1024


def at_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """The same answers with calibrated confidences and losses."""
    logits: Any = predictions.logits.astype(np.float64) / temperature  # as predict does: in float64
    return replace(predictions, logits=logits)


def fit_temperature(logits: npt.NDArray[np.floating], targets: IntArray) -> float:
    """The T within LOWEST and HIGHEST that minimises the mean cross-entropy of softmax(logits / T); all finite.

    The loss is convex in 1 / T: Newton's steps on its slope, halving where they leave the bracket. Where every image is
    right the slope never ends, and T is LOWEST; where the logits say less than nothing, it is HIGHEST. Logits (N, C)
    that are equal in every row have no slope, and T is 1.
    """
    inverse, low, high = 1.0, 1 / HIGHEST, 1 / LOWEST
    slope, curvature = _derivatives(logits, targets, inverse)
    if slope < 0 and _derivatives(logits, targets, high)[0] <= 0:
        return LOWEST
    if slope > 0 and _derivatives(logits, targets, low)[0] >= 0:
        return HIGHEST
    for _ in range(_STEPS):
        if slope == 0:
            break
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        newton = inverse - slope / curvature if curvature > 0 else math.inf
        following = newton if low <= newton <= high else (low + high) / 2
        if abs(following - inverse) <= 1e-10 * inverse:
            break
        inverse = following
        slope, curvature = _derivatives(logits, targets, inverse)
    return 1 / inverse


def _derivatives(logits: npt.NDArray[np.floating], targets: IntArray, inverse: float) -> tuple[float, float]:
    """First and second derivative of the mean cross-entropy in 1 / T: mean and variance of the logits under softmax."""
    slope = curvature = 0.0
    for start in range(0, len(logits), _BLOCK):
        block = logits[start : start + _BLOCK].astype(np.float64)
        block -= block.max(axis=1, keepdims=True)
        of_target = block[np.arange(len(block)), targets[start : start + _BLOCK]]
        shares = np.exp(inverse * block)
        shares /= shares.sum(axis=1, keepdims=True)
        means = (shares * block).sum(axis=1)
        slope += float((means - of_target).sum())
        curvature += float((shares * (block - means[:, None]) ** 2).sum())
    return slope / len(logits), curvature / len(logits)
