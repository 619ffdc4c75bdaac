"""Golden samples: a few images with the tensor and the logits that every consumer of the ONNX file must reproduce."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.dataset import Dataset
from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.engine.predictions import Thresholds, calibrated_probabilities, is_answered
from clf_cli.errors import ModelError
from clf_cli.files import write_json
from clf_cli.models.classifier import Classifier
from clf_cli.values.labels import Labels
from clf_cli.values.onnx_files import golden_beside
from clf_cli.values.predictions import FloatArray, Predictions
from clf_cli.values.preprocess import InputArray, preprocess_image

GOLDEN = 8
LONGEST_SIDE = 1024  # of a stored image; a larger one is shrunk first, and the shrunk one is the sample
INDEX = "index.json"
_VERSION = 1


@dataclass(frozen=True)
class GoldenImage:
    """One image before preprocessing."""

    source: str  # relative to the data's root, posix
    label: str | None
    pixels: npt.NDArray[np.uint8]  # (H, W, 3) RGB


@dataclass(frozen=True)
class Golden:
    """N images, the network's input of each and the reference logits."""

    images: tuple[GoldenImage, ...]
    inputs: InputArray  # (N, ...) as the file takes them
    logits: FloatArray  # (N, C)
    labels: Labels  # of the logits' columns

    def __len__(self) -> int:
        return len(self.images)


def choose_golden(predictions: Predictions, count: int = GOLDEN) -> tuple[int, ...]:
    """Positions of up to `count` images, half of them wrongly classified where there are that many, spread evenly."""
    wrong, correct = np.flatnonzero(~predictions.correct), np.flatnonzero(predictions.correct)
    wrongs = min(len(wrong), max(count // 2, count - len(correct)))
    corrects = min(len(correct), count - wrongs)
    return tuple(sorted([*_spread(wrong, wrongs), *_spread(correct, corrects)]))


def stored_images(classifier: Classifier, model: Path) -> tuple[tuple[GoldenImage, ...], str]:
    """Images of earlier golden samples, beside `model` or in the classifier's run, and a sentence on where they are
    from; for an export whose data are gone."""
    run = classifier.run
    folders = (golden_beside(model), run.golden if run is not None else None)
    for folder in folders:
        if folder is not None and (folder / INDEX).is_file():
            return read_golden(folder).images, f"The images of the golden samples are those of {folder}."
    return (), "No golden samples: there are no images to take them from. Name some with --data."


def golden_images(dataset: Dataset, predictions: Predictions) -> tuple[GoldenImage, ...]:
    """Opens the chosen images of `predictions`, whose paths are relative to the data's root; lost ones are left out."""
    names, images = predictions.labels.names, []
    for position in choose_golden(predictions):
        path = predictions.paths[position]
        try:
            pixels = _stored_pixels(open_image(dataset.root / path))
        except UnreadableImageError:
            continue
        images.append(GoldenImage(path, names[predictions.targets[position]], pixels))
    return tuple(images)


def golden_of(images: tuple[GoldenImage, ...], reference: Classifier) -> Golden:
    """Preprocesses the images (at least one) and lets the reference answer, in one batch."""
    preprocess = reference.preprocess
    inputs = np.stack([preprocess_image(Image.fromarray(image.pixels), preprocess) for image in images])
    return Golden(images, inputs, reference.logits(inputs), reference.labels)


def write_golden(
    folder: Path, golden: Golden, temperature: float | None = None, thresholds: Thresholds | None = None
) -> None:
    """Fills a new folder: per sample a PNG and two .npy files, and an index.

    The logits are those of the network; the index tells the probability at the contract's `temperature`, and whether
    its `thresholds` let the answer through.
    """
    folder.mkdir()
    samples = []
    for number, (image, tensor, logits) in enumerate(zip(golden.images, golden.inputs, golden.logits, strict=True)):
        files = {"image": f"{number}.png", "input": f"{number}.input.npy", "logits": f"{number}.logits.npy"}
        Image.fromarray(image.pixels).save(folder / files["image"])
        np.save(folder / files["input"], tensor)
        np.save(folder / files["logits"], logits)
        best = int(logits.argmax())
        probability = float(calibrated_probabilities(logits, temperature)[best])
        said = {
            "predicted": golden.labels.names[best],
            "probability": probability,
            "answered": is_answered(best, probability, thresholds),
        }
        samples.append({**files, "source": image.source, "label": image.label, **said})
    write_json(folder / INDEX, {"version": _VERSION, "labels": list(golden.labels), "samples": samples})


def read_golden(folder: Path) -> Golden:
    """Raises ModelError (exit 4) for a folder that is not whole."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        samples: list[dict[str, Any]] = index["samples"]
        labels = Labels(tuple(index["labels"]))
        images = tuple(
            GoldenImage(sample["source"], sample["label"], _rgb(folder / sample["image"])) for sample in samples
        )
        inputs = np.stack([np.load(folder / sample["input"], allow_pickle=False) for sample in samples])
        logits = np.stack([np.load(folder / sample["logits"], allow_pickle=False) for sample in samples])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"it lacks the key {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(
            f"The golden samples in {folder} cannot be read: {reason}.", "`clf export` writes them again."
        ) from error
    return Golden(images, inputs, logits, labels)


def _spread(positions: npt.NDArray[np.intp], count: int) -> list[int]:
    if count == 0:
        return []
    return [int(position) for position in positions[np.linspace(0, len(positions) - 1, count).round().astype(int)]]


def _stored_pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    small = image.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
    return np.array(small)


def _rgb(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))
