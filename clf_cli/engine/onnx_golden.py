"""Golden samples: a few images with the tensor and the logits that every consumer of the ONNX file must reproduce."""

import contextlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.dataset import Dataset
from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.engine.predictions import Thresholds, calibrated_probabilities, is_answered
from clf_cli.errors import ModelError, first_line
from clf_cli.files import write_json
from clf_cli.models.classifier import Classifier
from clf_cli.reading import read_json, require_inside
from clf_cli.values.labels import Labels
from clf_cli.values.onnx_files import golden_beside
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.predictions import LOG_FLOOR, FloatArray, Output, Predictions, log_probabilities
from clf_cli.values.preprocess import InputArray, as_input_of, preprocess_image

GOLDEN = 8
LONGEST_SIDE = 1024  # of a stored image; a larger one is shrunk first, and the shrunk one is the sample
INDEX = "index.json"
# How far a consumer's answers may be from the stored ones: max |difference| / max(1, max |stored|). From the stored
# tensors in ONNX Runtime and elsewhere; from the images where Pillow decodes and resizes them. Runtimes round to half
# precision and to 8 bits in different places between the layers: docs/consumers.md has what was measured.
TOLERANCES: dict[OnnxPrecision, dict[str, float]] = {
    "fp32": {"onnxruntime": 1e-4, "others": 1e-3, "from_file": 1e-4},
    "fp16": {"onnxruntime": 1e-4, "others": 1e-2, "from_file": 1e-4},
    "int8": {"onnxruntime": 0.1, "others": 0.1, "from_file": 0.1},
}
_VERSION = 1


@dataclass(frozen=True)
class GoldenImage:
    """One image before preprocessing."""

    source: str  # relative to the data's root, posix
    label: str | None
    pixels: npt.NDArray[np.uint8]  # (H, W, 3) RGB


@dataclass(frozen=True)
class Golden:
    """N images, the network's input of each and the reference logits.

    Of a file that answers with probabilities, the logits are values.predictions.log_probabilities.
    """

    images: tuple[GoldenImage, ...]
    inputs: InputArray  # (N, ...) as the file takes them
    logits: FloatArray  # (N, C)
    labels: Labels  # of the logits' columns
    output: Output = "logits"  # what the file answers with, and the samples on the disk hold
    precision: OnnxPrecision = "fp32"  # of the file

    def __len__(self) -> int:
        return len(self.images)


def choose_golden(predictions: Predictions, count: int = GOLDEN) -> tuple[int, ...]:
    """Positions of up to `count` images, half of them wrongly classified where there are that many, spread evenly."""
    wrong, correct = np.flatnonzero(~predictions.correct), np.flatnonzero(predictions.correct)
    wrongs = min(len(wrong), max(count // 2, count - len(correct)))
    corrects = min(len(correct), count - wrongs)
    return tuple(sorted([*_spread(wrong, wrongs), *_spread(correct, corrects)]))


def stored_images(classifier: Classifier, model: Path) -> tuple[tuple[GoldenImage, ...], str]:
    """Images of earlier golden samples that can be read, beside `model` or in the classifier's run, and a sentence on
    where they are from; for an export whose data are gone."""
    run = classifier.run
    folders = (golden_beside(model), run.golden if run is not None else None)
    for folder in folders:
        if folder is not None and (folder / INDEX).is_file():
            near = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
            with contextlib.suppress(ModelError):  # which says that an export would write them again
                return read_golden(folder).images, f"The images of the golden samples are those of {near}."
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


def golden_of(images: tuple[GoldenImage, ...], file: Classifier, reference: Classifier | None = None) -> Golden:
    """Preprocesses the images (at least one) as `file` takes them, and lets it answer, in one batch.

    With `reference` that answers, and `file` only says what it takes and gives: for a file that must answer exactly
    like the network, in the same order of labels.
    """
    inputs = np.stack([preprocess_image(Image.fromarray(image.pixels), file.preprocess) for image in images])
    if reference is None:
        logits = file.logits(inputs)
    else:
        logits = reference.logits(as_input_of(inputs, file.preprocess, reference.preprocess))
        logits = log_probabilities(logits) if file.output == "probabilities" else logits
    return Golden(images, inputs, logits, file.labels, file.output, file.precision)


def write_golden(
    folder: Path, golden: Golden, temperature: float | None = None, thresholds: Thresholds | None = None
) -> None:
    """Fills a new folder: per sample a PNG and two .npy files, and an index.

    What is stored is what the file answers with, whatever its calibration; the index tells the probability at the
    contract's `temperature`, and whether its `thresholds` let the answer through.
    """
    folder.mkdir()
    samples = []
    for number, (image, tensor, logits) in enumerate(zip(golden.images, golden.inputs, golden.logits, strict=True)):
        files = {
            "image": f"{number}.png",
            "input": f"{number}.input.npy",
            golden.output: f"{number}.{golden.output}.npy",
        }
        Image.fromarray(image.pixels).save(folder / files["image"])
        np.save(folder / files["input"], tensor)
        np.save(folder / files[golden.output], logits if golden.output == "logits" else _exp(logits))
        best = int(logits.argmax())
        probability = float(calibrated_probabilities(logits, temperature)[best])
        said = {
            "predicted": golden.labels.names[best],
            "probability": probability,
            "answered": is_answered(best, probability, thresholds),
        }
        samples.append({**files, "source": image.source, "label": image.label, **said})
    index = {
        "version": _VERSION,
        "labels": list(golden.labels),
        "output": golden.output,
        "precision": golden.precision,
        "tolerances": TOLERANCES[golden.precision],
        "samples": samples,
    }
    write_json(folder / INDEX, index)


def read_golden(folder: Path) -> Golden:
    """Raises ModelError (exit 4) for a folder that is not whole, and for one of a later version."""
    try:
        index = read_json(folder / INDEX)
        return _golden_in(folder, index)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        reason = f"it lacks the key {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(
            f"The golden samples in {folder} cannot be read: {reason}.", "`clf export` writes them again."
        ) from error


def _golden_in(folder: Path, index: dict[str, Any]) -> Golden:
    samples: list[dict[str, Any]] = index["samples"]
    labels = Labels(tuple(index["labels"]))
    if index["version"] != _VERSION:
        raise ValueError(f"they are of version {index['version']}, this clf reads version {_VERSION}")
    output, precision = index.get("output", "logits"), index.get("precision", "fp32")
    if output not in get_args(Output) or precision not in TOLERANCES:
        raise ValueError(f"this clf does not know {precision} {output}")
    require_inside(one[key] for one in samples for key in ("image", "input", output))
    images = tuple(GoldenImage(one["source"], one["label"], _rgb(folder / one["image"])) for one in samples)
    inputs = np.stack([_array(folder / one["input"]) for one in samples])
    answers = np.stack([_array(folder / one[output]) for one in samples])
    if inputs.dtype not in (np.float32, np.uint8) or answers.dtype != np.float32:
        raise ValueError(f"inputs are {inputs.dtype}, {output} {answers.dtype}")
    if answers.shape != (len(samples), len(labels)):
        raise ValueError(f"{output} are {answers.shape[1:]}, there are {len(labels)} labels")
    logits = answers if output == "logits" else np.log(np.maximum(answers, np.float32(LOG_FLOOR)))
    return Golden(images, inputs, logits, labels, output, precision)


def _spread(positions: npt.NDArray[np.intp], count: int) -> list[int]:
    if count == 0:
        return []
    return [int(position) for position in positions[np.linspace(0, len(positions) - 1, count).round().astype(int)]]


def _exp(logits: FloatArray) -> FloatArray:
    """Of log-probabilities; in float64, so that only the last bits of the probabilities are lost."""
    return np.exp(logits.astype(np.float64)).astype(np.float32)


def _stored_pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    small = image.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
    return np.array(small)


def _rgb(path: Path) -> npt.NDArray[np.uint8]:
    try:
        return np.array(open_image(path))
    except UnreadableImageError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _array(path: Path) -> npt.NDArray[Any]:
    """Mapped first: a header that tells more than the file has is refused before memory is taken for it."""
    if not path.is_file():
        raise ValueError(f"{path.name} is not there")
    try:
        with warnings.catch_warnings(action="error"):
            found = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # on broken headers numpy raises nearly anything
        raise ValueError(f"{path.name}: {first_line(error)}") from error
    if not isinstance(found, np.ndarray):
        raise ValueError(f"{path.name} is no array")
    return np.array(found)
