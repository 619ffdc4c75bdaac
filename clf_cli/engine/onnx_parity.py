"""Whether two sets of logits of the same images say the same: numbers only, no runtime."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clf_cli.values.predictions import FloatArray, IntArray, softmax, ties


@dataclass(frozen=True)
class Parity:
    """Differences of a candidate from a reference over N images, columns in the same label order.

    `agreement` is the share of equal predictions outside ties (values.predictions.ties of the reference), 1 where all
    are ties. `relative_difference` is `logit_difference` over max(1, max|reference|). Not finite is NaN.
    """

    images: int
    ties: int
    agreement: float
    logit_difference: float
    relative_difference: float
    probability_difference: float

    def within(self, tolerance: float) -> bool:
        """Not where anything is NaN."""
        return self.relative_difference <= tolerance

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def parity(reference: FloatArray, candidate: FloatArray) -> Parity:
    """Both (N, C), N >= 1."""
    tied = ties(reference)
    same = reference.argmax(axis=1) == candidate.argmax(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = float(np.abs(reference.astype(np.float64) - candidate).max())
        probabilities = float(np.abs(softmax(reference) - softmax(candidate)).max())
    difference = difference if np.isfinite(difference) else float("nan")
    return Parity(
        images=len(reference),
        ties=int(tied.sum()),
        agreement=float(same[~tied].mean()) if (~tied).any() else 1.0,
        logit_difference=difference,
        relative_difference=difference / max(1.0, float(np.abs(reference).max())),
        probability_difference=probabilities,
    )


def accuracies_outside_ties(
    targets: IntArray, reference: IntArray, candidate: IntArray, tied: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """Accuracy of both over the images that are no ties; NaN where all are. All (N,), indices in one label order."""
    kept = ~tied
    if not kept.any():
        return float("nan"), float("nan")
    return float((reference == targets)[kept].mean()), float((candidate == targets)[kept].mean())
