"""Which images of a split to show, and what was predicted for them."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from clf_cli.values.labels import Labels
from clf_cli.values.predictions import IntArray, Predictions


@dataclass(frozen=True)
class SampledPrediction:
    """One image: labels as in the data, `confidence` (0 to 1) of the predicted class, `loss` (nats) of the true one."""

    path: str
    true: str
    predicted: str
    confidence: float
    correct: bool
    loss: float


@dataclass(frozen=True)
class SamplesResult:
    """Predictions of a few images: spread over the classes, class by class, or those of the highest loss first."""

    kind: ClassVar[str] = "samples"

    samples: tuple[SampledPrediction, ...]
    chosen: Literal["spread", "worst"] = "spread"

    def to_result(self) -> dict[str, Any]:
        return {"chosen": self.chosen, "samples": [asdict(sample) for sample in self.samples]}


def choose_samples(paths: tuple[str, ...], targets: IntArray, labels: Labels, count: int, seed: int) -> IntArray:
    """Positions of at most `count` images, spread evenly over the classes that have images, in label order.

    A function of the seed, the paths and the true classes only, so every epoch of a run shows the same images; the
    order of the images does not matter, and a larger count keeps those of a smaller one.
    """
    of_class: dict[int, list[tuple[bytes, int]]] = {}
    for position, (path, target) in enumerate(zip(paths, targets.tolist(), strict=True)):
        of_class.setdefault(target, []).append((_key(seed, path), position))
    queue = [
        (turn, _key(seed, labels.names[target]), target, position)
        for target, members in of_class.items()
        for turn, (_, position) in enumerate(sorted(members))
    ]
    taken = sorted((target, turn, position) for turn, _, target, position in sorted(queue)[:count])
    return np.array([position for _, _, position in taken], dtype=np.int64)


def sample_predictions(predictions: Predictions, count: int = 16, seed: int = 0) -> SamplesResult:
    """What was predicted for the images that `choose_samples` picks, in its order."""
    chosen = choose_samples(predictions.paths, predictions.targets, predictions.labels, count, seed)
    return SamplesResult(tuple(sampled(predictions, position) for position in chosen.tolist()))


def worst_samples(predictions: Predictions, count: int = 16) -> SamplesResult:
    """The images of the highest loss, the highest first, equal ones by path; an undefined loss counts as infinite."""
    order = _by_loss(predictions, np.arange(len(predictions)))
    return SamplesResult(tuple(sampled(predictions, position) for position in order[:count]), "worst")


def worst_mistakes(predictions: Predictions, count: int = 16) -> tuple[SampledPrediction, ...]:
    """The wrongly predicted images of the highest loss, in the order of `worst_samples`."""
    order = _by_loss(predictions, np.flatnonzero(~predictions.correct))
    return tuple(sampled(predictions, position) for position in order[:count])


def _by_loss(predictions: Predictions, positions: IntArray) -> list[int]:
    losses = np.nan_to_num(predictions.losses, nan=np.inf).tolist()
    return sorted(positions.tolist(), key=lambda position: (-losses[position], predictions.paths[position]))


def sampled(predictions: Predictions, position: int) -> SampledPrediction:
    """What was predicted for one image."""
    names = predictions.labels.names
    return SampledPrediction(
        path=predictions.paths[position],
        true=names[predictions.targets[position]],
        predicted=names[predictions.predicted[position]],
        confidence=float(predictions.confidences[position]),
        correct=bool(predictions.correct[position]),
        loss=float(predictions.losses[position]),
    )


def _key(seed: int, text: str) -> bytes:
    return hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=8).digest()
