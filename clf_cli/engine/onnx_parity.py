"""Whether two sets of logits of the same images say the same: numbers only, no runtime."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from clf_cli.values.labels import Labels
from clf_cli.values.predictions import FloatArray, Predictions, softmax, ties


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


@dataclass(frozen=True)
class Flip:
    """An image that two models call different names; `tie` says that the reference was undecided."""

    path: str
    label: str
    reference: str
    onnx: str
    tie: bool


@dataclass(frozen=True)
class ImagesParity:
    """Two models on the images of a split. `accuracy_drop`: reference less ONNX without ties, NaN if all are ties."""

    parity: Parity
    reference_accuracy: float
    onnx_accuracy: float
    accuracy_drop: float
    flips: tuple[Flip, ...]

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


def images_parity(reference: Predictions, candidate: Predictions) -> ImagesParity:
    """Both of the same images, in one order, over the same set of labels in any order. At least one image."""
    tied = ties(reference.logits)
    ours = [reference.labels.names[index] for index in reference.predicted]
    theirs = [candidate.labels.names[index] for index in candidate.predicted]
    flips = tuple(
        Flip(path, reference.labels.names[target], one, other, bool(tie))
        for path, target, one, other, tie in zip(reference.paths, reference.targets, ours, theirs, tied, strict=True)
        if one != other
    )
    kept = ~tied
    drop = reference.correct[kept].mean() - candidate.correct[kept].mean() if kept.any() else np.nan
    return ImagesParity(
        parity=parity(reference.logits, in_order(candidate.logits, candidate.labels, reference.labels)),
        reference_accuracy=float(reference.correct.mean()),
        onnx_accuracy=float(candidate.correct.mean()),
        accuracy_drop=float(drop),
        flips=flips,
    )


def in_order(logits: FloatArray, labels: Labels, wanted: Labels) -> FloatArray:
    """The columns of `logits` (N, C), which are in the order of `labels`, in the order of `wanted`: the same names."""
    return logits[:, [labels.indices[name] for name in wanted]]
