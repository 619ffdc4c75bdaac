"""A consumer's path: encoded files to answers with nothing but the ONNX file, numpy, Pillow and onnxruntime.

It shares no line with clf's own image opener and evaluation transform, so that one can be held against the other.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types
from PIL import Image

from clf_cli.data.samples import Sample
from clf_cli.engine.point_sampling import Pixels, point_sampled
from clf_cli.engine.read_ahead import read_ahead
from clf_cli.errors import DataError, ModelError, first_line
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import EVAL_BATCH, LOG_FLOOR, FloatArray, Predictions
from clf_cli.values.progress import Progress, silent

Tensor = npt.NDArray[Any]  # one image as the network takes it, or a batch of them
Color = Literal["RGB", "BGR"]
_ORIENTATION = 0x0112
_FATAL = 4  # ONNX Runtime's log severity
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {  # the EXIF orientation, undone
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@dataclass(frozen=True)
class Recipe:
    """How an encoded file becomes the network's input, every stage as data.

    `background` lies behind transparency, `bars` around letterboxed images; with `flatten` off transparency is dropped,
    and the colours behind it show. `color` is the order in which the network gets the channels; `mean` and `std` are of
    those channels in that order, after the division by `divisor`.
    """

    height: int
    width: int
    exif: bool = True
    flatten: bool = True
    background: tuple[int, int, int] = (128, 128, 128)
    bars: tuple[int, int, int] = (128, 128, 128)
    color: Color = "RGB"
    resize_mode: str = "squash"
    interpolation: str = "bicubic"
    antialias: bool = True
    crop_share: float = 1.0
    divisor: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "NCHW"
    dtype: str = "float32"  # uint8: the network normalises by itself


@dataclass(frozen=True)
class Consumer:
    """An ONNX file, opened from its contract alone. `logits` takes (N, ...) inputs and gives float32 (N, C).

    Where the file answers with probabilities, that is their log, not below log(LOG_FLOOR).
    """

    path: Path
    recipe: Recipe
    labels: Labels
    logits: Callable[[Tensor], FloatArray]
    output: str = "logits"  # or probabilities: what the file itself gives
    contract: Mapping[str, Any] = field(default_factory=dict)  # its JSON


def recipe_of(contract: Mapping[str, Any]) -> Recipe:
    """The recipe that the JSON of a contract asks for. Raises KeyError where it lacks a key."""
    size, how = contract["input"], contract["preprocess"]
    return Recipe(
        height=size["height"],
        width=size["width"],
        exif=how["exif"],
        background=_three(how["background"]),
        bars=_three(how["background"]),
        color=size["color"],
        resize_mode=how["resize_mode"],
        interpolation=how["interpolation"],
        antialias=how["engine"] == "pillow",
        crop_share=how["crop_share"],
        mean=_three(how["mean"]),
        std=_three(how["std"]),
        layout=size["layout"],
        dtype=size["dtype"],
    )


def open_consumer(
    model: Path,
    threads: int | None = None,
    contract: Mapping[str, Any] | None = None,
    session: ort.InferenceSession | None = None,
) -> Consumer:
    """The ONNX file, on the CPU or in `session`; `contract` stands in for the one that a foreign file lacks.

    Raises ModelError (exit 4) for a file that ONNX Runtime cannot open or that has no contract, and where it cannot
    answer.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = session or ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        contract = contract or json.loads(session.get_modelmeta().custom_metadata_map["clf.contract"])
        recipe, names = recipe_of(contract), (contract["input"]["name"], contract["output"]["name"])
        kind, labels = contract["output"]["kind"], Labels(tuple(contract["labels"]))
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise ModelError(f"{model}: a consumer cannot use it: {type(error).__name__} {first_line(error)}") from error

    def logits(batch: Tensor) -> FloatArray:
        try:
            answer: FloatArray = session.run([names[1]], {names[0]: batch})[0]
        except Exception as error:
            reason = " ".join(str(error).split()).rpartition(" : ")[2]  # without ONNX Runtime's codes
            raise ModelError(f"{model} cannot answer for a batch of {len(batch)}: {reason}") from error
        return answer if kind == "logits" else np.log(np.maximum(answer, np.float32(LOG_FLOOR)))

    return Consumer(model, recipe, labels, logits, kind, contract)


def consumer_answers(
    consumer: Consumer,
    root: Path,
    samples: Sequence[Sample],
    batch_size: int = EVAL_BATCH,
    workers: int = 1,
    progress: Progress = silent,
) -> Predictions:
    """What the file answers for the encoded images of `samples`, whose labels are the file's, in their order.

    `workers` threads decode. Raises DataError (exit 3) for a file that cannot be read.
    """
    recipe, answers = consumer.recipe, []
    batches = (samples[start : start + batch_size] for start in range(0, len(samples), batch_size))
    ahead = read_ahead(
        batches, lambda sample: tensor(resized(decode(root / sample.path, recipe), recipe), recipe), workers
    )
    with closing(ahead), progress("Predicting as a consumer", len(samples)) as advance:
        for images in ahead:
            answers.append(consumer.logits(np.stack(images)))
            advance(len(images))
    return Predictions(
        paths=tuple(sample.path for sample in samples),
        targets=np.array([consumer.labels.indices[sample.label] for sample in samples], dtype=np.int64),
        logits=np.concatenate(answers),
        labels=consumer.labels,
    )


def decode(path: Path, recipe: Recipe) -> Pixels:
    """(H, W, 3) uint8, RGB, of an encoded image. Raises DataError (exit 3) with the reason where Pillow cannot."""
    try:
        with Image.open(path) as image:
            pixels = _rgb(image, recipe)  # loads it: Pillow turns TIFF files while loading, and then drops the tag
            turn = _TURNS.get(_orientation(image)) if recipe.exif else None
    except Exception as error:  # on broken bytes Pillow's decoders raise nearly anything
        raise DataError(f"A consumer cannot read {path}: {first_line(error)}.") from error
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def resized(pixels: Pixels, recipe: Recipe) -> Pixels:
    """Decoded (H, W, 3) at the network's size: (height, width, 3)."""
    width, height = recipe.width, recipe.height
    if recipe.resize_mode == "letterbox":
        scale = min(width / pixels.shape[1], height / pixels.shape[0])
        wide, high = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        canvas = np.empty((height, width, 3), np.uint8)
        canvas[:] = recipe.bars
        left, top = (width - wide) // 2, (height - high) // 2
        canvas[top : top + high, left : left + wide] = _scaled(pixels, wide, high, recipe)
        return canvas
    wide, high = round(width / recipe.crop_share), round(height / recipe.crop_share)
    if recipe.resize_mode == "crop":
        scale = max(wide / pixels.shape[1], high / pixels.shape[0])
        wide = max(width, round(pixels.shape[1] * scale))
        high = max(height, round(pixels.shape[0] * scale))
    left, top = (wide - width) // 2, (high - height) // 2
    return _scaled(pixels, wide, high, recipe)[top : top + height, left : left + width]


def tensor(pixels: Pixels, recipe: Recipe) -> Tensor:
    """Resized (height, width, 3) as the network takes it, without the batch axis."""
    ordered = pixels if recipe.color == "RGB" else pixels[..., ::-1]
    if recipe.dtype == "uint8":
        values: Tensor = ordered
    else:
        mean, std = np.array(recipe.mean, np.float32), np.array(recipe.std, np.float32)
        values = (ordered.astype(np.float32) / np.float32(recipe.divisor) - mean) / std
    return np.ascontiguousarray(values if recipe.layout == "NHWC" else values.transpose(2, 0, 1))


def _rgb(image: Image.Image, recipe: Recipe) -> Pixels:
    if image.mode.startswith("I"):  # 16-bit grey
        grey = ((np.asarray(image).astype(np.int64) + 128) // 257).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data and recipe.flatten:
        canvas = Image.new("RGBA", image.size, (*recipe.background, 255))
        image = Image.alpha_composite(canvas, image.convert("RGBA"))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - EXIF that is broken says nothing; nearly anything may be raised for it
        return 1


def _scaled(pixels: Pixels, width: int, height: int, recipe: Recipe) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    if not recipe.antialias:
        return point_sampled(pixels, width, height, recipe.interpolation)
    kernel = Image.Resampling[recipe.interpolation.upper()]
    wide = Image.fromarray(pixels).resize((width, pixels.shape[0]), kernel)  # in one call Pillow 13 may turn the order
    return np.asarray(wide.resize((width, height), kernel))


def _three(values: Sequence[Any]) -> tuple[Any, Any, Any]:
    first, second, third = values
    return first, second, third
