"""What a classifier says of images that nobody has labelled."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.data.named_images import NamedImage
from clf_cli.engine.read_ahead import inputs_ahead
from clf_cli.errors import ModelError
from clf_cli.models.classifier import Classifier
from clf_cli.values.prediction import Candidate, Prediction
from clf_cli.values.predictions import FloatArray, softmax

TOP = 5

Thresholds = Sequence[float | None]


@dataclass(frozen=True)
class Tally:
    """What became of the images; tallies add."""

    images: int = 0
    abstained: int = 0
    unreadable: int = 0
    seen: frozenset[str] = frozenset()  # classes that were answered

    @classmethod
    def of(cls, predictions: Sequence[Prediction]) -> "Tally":
        return cls(
            images=len(predictions),
            abstained=sum(prediction.abstained for prediction in predictions),
            unreadable=sum(prediction.error is not None for prediction in predictions),
            seen=frozenset(prediction.label for prediction in predictions if prediction.label is not None),
        )

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.images + other.images,
            self.abstained + other.abstained,
            self.unreadable + other.unreadable,
            self.seen | other.seen,
        )


@dataclass(frozen=True)
class PredictionsResult:
    """Prediction lines as one document; `calibrated` says whether a temperature or thresholds entered them."""

    kind: ClassVar[str] = "predictions"

    predictions: tuple[Prediction, ...]
    calibrated: bool = False

    def to_result(self) -> dict[str, Any]:
        tally = Tally.of(self.predictions)
        return {
            "images": tally.images,
            "abstained": tally.abstained,
            "unreadable": tally.unreadable,
            "calibrated": self.calibrated,
            "predictions": [prediction.to_json() for prediction in self.predictions],
        }


def predict_images(
    classifier: Classifier, images: Iterable[NamedImage | None], top: int = TOP, workers: int = 1
) -> Generator[list[Prediction], None, None]:
    """What the classifier says of each image, in order, batch by batch as they are done; a None among the images asks
    for what is there (`batches_of`).

    `workers` threads decode; two batches of images are in memory at most. An image that cannot be read is a prediction
    with an `error`. Raises ModelError (exit 4) where the model answers with no number.
    """

    with closing(inputs_ahead(images, _pixels, classifier.preprocess, workers)) as ahead:
        for batch in ahead:
            answers = iter(_answers(classifier, batch.inputs, top) if len(batch.inputs) else ())
            yield [
                replace(next(answers), path=image.path) if reason is None else Prediction(image.path, error=str(reason))
                for image, reason in zip(batch.items, batch.reasons, strict=True)
            ]


def _pixels(image: NamedImage) -> Image.Image:
    """Raises UnreadableImageError, also one that is known already."""
    if isinstance(image.content, UnreadableImageError):
        raise image.content
    return open_image(image.content) if isinstance(image.content, Path) else image.content


def calibrated_probabilities(logits: npt.NDArray[np.floating], temperature: float | None) -> npt.NDArray[np.float64]:
    """(N, C) softmax of the logits divided by the temperature; None stands for 1."""
    return softmax(logits.astype(np.float64) / (1.0 if temperature is None else temperature))


def is_answered(index: int, probability: float, thresholds: Thresholds | None) -> bool:
    """Whether the best class may be told: it has a threshold and reaches it. Without thresholds it always may."""
    if thresholds is None:
        return True
    threshold = thresholds[index]
    return threshold is not None and probability >= threshold


def uncalibrated(classifier: Classifier) -> Classifier:
    """The same model, telling the plain softmax and always the best class."""
    return replace(classifier, temperature=None, thresholds=None)


def is_calibrated(classifier: Classifier) -> bool:
    return classifier.temperature is not None or classifier.thresholds is not None


def _answers(classifier: Classifier, images: FloatArray, top: int) -> list[Prediction]:
    """Of preprocessed images (N, 3, H, W); the paths are missing. Equal logits rank by index, as everywhere."""
    logits, names = classifier.logits(images), classifier.labels.names
    if not np.isfinite(logits).all():
        raise ModelError(
            f"{classifier.path} answers with NaN or infinity.", "Its weights are broken; name another checkpoint."
        )
    probabilities = calibrated_probabilities(logits, classifier.temperature)
    ranked = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    answers = []
    for row, order in enumerate(ranked.tolist()):
        candidates = tuple(Candidate(names[index], float(probabilities[row, index])) for index in order)
        best = candidates[0]
        told = is_answered(order[0], best.probability, classifier.thresholds)
        answers.append(
            Prediction(
                path=None,
                label=best.label if told else None,
                index=order[0] if told else None,
                probability=best.probability,
                top=candidates,
                logits=logits[row],
            )
        )
    return answers
