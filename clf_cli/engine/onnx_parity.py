"""Whether two sets of logits of the same images say the same: numbers only, no runtime."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from clf_cli.values.labels import Labels
from clf_cli.values.predictions import FloatArray, Output, Predictions, log_probabilities, softmax, ties


@dataclass(frozen=True)
class Parity:
    """Differences of a candidate from a reference over N images, columns in the same label order.

    `agreement` is the share of equal predictions outside ties (values.predictions.ties of the reference), 1 where all
    are ties. `logit_difference_p99` is the 99th percentile, over the images, of the largest difference of each.
    `relative_difference` is `logit_difference` over max(1, max|reference|). Not finite is NaN.
    """

    images: int
    ties: int
    agreement: float
    logit_difference: float
    logit_difference_p99: float
    relative_difference: float
    probability_difference: float

    @property
    def flips(self) -> int:
        """Images with another class, ties aside."""
        return round((1 - self.agreement) * (self.images - self.ties))

    def within(self, tolerance: float | None) -> bool:
        """Not where anything is NaN; None lets every finite difference pass."""
        return self.relative_difference <= (np.inf if tolerance is None else tolerance)

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


@dataclass(frozen=True)
class BatchParity:
    """Two models on images of one batch size; `images` has accuracies and flips too, where the images have labels."""

    size: int
    parity: Parity
    images: ImagesParity | None = None

    def to_json(self) -> dict[str, Any]:
        scored = None if self.images is None else self.images.to_json()
        more = {key: scored and scored[key] for key in ("reference_accuracy", "onnx_accuracy", "flips")}
        return {"size": self.size, **self.parity.to_json(), **more}


def parity(reference: FloatArray, candidate: FloatArray) -> Parity:
    """Both (N, C), N >= 1."""
    tied = ties(reference)
    same = reference.argmax(axis=1) == candidate.argmax(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        differences = np.abs(reference.astype(np.float64) - candidate).max(axis=1)
        probabilities = float(np.abs(softmax(reference) - softmax(candidate)).max())
    if not np.isfinite(differences).all():
        differences = np.full(len(reference), np.nan)
    difference = float(differences.max())
    return Parity(
        images=len(reference),
        ties=int(tied.sum()),
        agreement=float(same[~tied].mean()) if (~tied).any() else 1.0,
        logit_difference=difference,
        logit_difference_p99=float(np.percentile(differences, 99)),
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
    lost = int(reference.correct[kept].sum()) - int(candidate.correct[kept].sum())
    return ImagesParity(
        parity=parity(reference.logits, in_order(candidate.logits, candidate.labels, reference.labels)),
        reference_accuracy=float(reference.correct.mean()),
        onnx_accuracy=float(candidate.correct.mean()),
        accuracy_drop=lost / int(kept.sum()) if kept.any() else np.nan,
        flips=flips,
    )


def comparable(
    reference: FloatArray, its_output: Output, candidate: FloatArray, own_output: Output
) -> tuple[FloatArray, FloatArray]:
    """Both (N, C) in one kind: where one model answers with probabilities, the other's logits become their log."""
    if its_output == own_output:
        return reference, candidate
    if own_output == "probabilities":
        return log_probabilities(reference), candidate
    return reference, log_probabilities(candidate)


def in_order(logits: FloatArray, labels: Labels, wanted: Labels) -> FloatArray:
    """The columns of `logits` (N, C), which are in the order of `labels`, in the order of `wanted`: the same names."""
    return logits[:, [labels.indices[name] for name in wanted]]
