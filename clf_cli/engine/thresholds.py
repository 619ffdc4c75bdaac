"""The least confident answers that are still right often enough: one threshold per class."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from clf_cli.values.predictions import IntArray

OWN = 20  # answers with a class from which it gets a threshold of its own
ABOVE = 10  # answers that a threshold must let through, or it says nothing
SLACK = 1e-3  # a threshold lies at most so far below the answer that sets it
_ROUNDING = 1e-12

Vector = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Basis = Literal["class", "all classes", "never"]


@dataclass(frozen=True)
class Thresholds:
    """`values` (C,): NaN is never; `basis` (C,): whose answers set the value."""

    values: Vector
    basis: tuple[Basis, ...]

    def answered(self, predicted: IntArray, confidences: Vector) -> Bools:
        """(N,) whether each image's best class may be told, as `engine.predictions.is_answered` decides."""
        return np.asarray(confidences >= self.values[predicted])

    def to_contract(self) -> tuple[float | None, ...]:
        return tuple(None if np.isnan(value) else float(value) for value in self.values)


def fit_thresholds(predicted: IntArray, confidences: Vector, correct: Bools, classes: int, target: float) -> Thresholds:
    """From N answers: for each class a threshold of its own where OWN answers name it, else that of all classes.

    A class whose own answers are never right often enough has none: it is never answered.
    """
    of_all = least_confidence(confidences, correct, target)
    values, basis = np.full(classes, of_all), list[Basis](["all classes"] * classes)
    for index in np.flatnonzero(np.bincount(predicted, minlength=classes) >= OWN).tolist():
        own = predicted == index
        values[index] = least_confidence(confidences[own], correct[own], target)
        basis[index] = "class"
    found: list[Basis] = ["never" if np.isnan(value) else of for value, of in zip(values, basis, strict=True)]
    return Thresholds(values, tuple(found))


def least_confidence(confidences: Vector, correct: Bools, target: float) -> float:
    """The smallest confidence such that, of all answers from it upwards, at least `target` are right; NaN if none.

    ABOVE answers or more must reach it. It lies halfway to the next less confident answer, at most SLACK below the
    answer that sets it, so that another runtime's rounding lets the same answers through.
    """
    order = np.argsort(-confidences, kind="stable")
    sorted_down = confidences[order]
    counts = np.arange(1, len(order) + 1)
    precise = np.cumsum(correct[order]) / counts >= target - _ROUNDING
    last_of_equals = np.append(np.diff(sorted_down) < 0, True)[: len(order)]
    found = np.flatnonzero(precise & last_of_equals & (counts >= ABOVE))
    if not found.size:
        return float("nan")
    lowest = float(sorted_down[found[-1]])
    following = sorted_down[found[-1] + 1 :]
    below = float(following[0]) if following.size else 0.0
    return max((lowest + below) / 2, lowest - SLACK)
